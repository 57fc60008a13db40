//! The generators against draws recorded from PyTorch and torchsde.

use comfy_fixtures::golden;

use super::{BrownianTree, TorchGenerator};

#[test]
fn normals_equal_the_recorded_ones() {
    let golden = golden("noise");
    for count in [1, 2, 5, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100, 1000] {
        let want = golden.f32(&format!("randn42.n{count}"));
        assert_eq!(
            TorchGenerator::new(42).randn(count),
            want,
            "{count} normals"
        );
    }
    let mut generator = TorchGenerator::new(42);
    let sequence = [16, 5, 16].map(|count| generator.randn(count)).concat();
    assert_eq!(sequence, golden.f32("randn42.seq16_then_5_then_16"));
}

#[test]
fn normals_in_double_precision_equal_the_recorded_ones() {
    let want = golden("noise").f64("randn42.f64.n32");
    for (got, want) in TorchGenerator::new(42).randn_f64(32).iter().zip(&want) {
        // The last digit is the system's mathematics library's.
        assert!((got - want).abs() <= 1e-14, "{got} is not {want}");
    }
}

#[test]
fn uniforms_and_integers_equal_the_recorded_ones() {
    let golden = golden("noise");
    assert_eq!(TorchGenerator::new(42).rand(20), golden.f32("rand42.n20"));
    assert_eq!(
        TorchGenerator::new(42).randperm(20),
        golden.i64("randperm42.n20")
    );
    let integers = TorchGenerator::new(42).randint(0, i64::from(i32::MAX), 20);
    assert_eq!(integers, golden.i64("randint42.n20"));
    let words = TorchGenerator::new(42).randint(0, 1 << 32, 20);
    assert_eq!(words, golden.i64("mt19937_42.random_u32"));
}

#[test]
fn brownian_increments_equal_the_recorded_ones() {
    let golden = golden("brownian");
    let sigmas = golden.f32("sigmas");
    for seed in [0, 42] {
        let count = golden.f32(&format!("bt.seed{seed}.0")).len();
        let (last, first) = (f64::from(sigmas[sigmas.len() - 1]), f64::from(sigmas[0]));
        let tree = BrownianTree::new(last, first, count, seed);
        assert_eq!(
            tree.noise(9.0, 2.0),
            golden.f32(&format!("bt.seed{seed}.mid")),
            "seed {seed}, over a level"
        );
        for (index, levels) in sigmas.windows(2).enumerate() {
            let want = golden.f32(&format!("bt.seed{seed}.{index}"));
            assert_eq!(
                tree.noise(levels[0], levels[1]),
                want,
                "seed {seed}, step {index}"
            );
        }
    }
}
