//! The rules that every scheduler keeps, and the levels recorded from the original.

use super::{
    SCHEDULERS, beta_with, exponential_between, find_scheduler, karras_between, laplace_between,
    polyexponential_between, turbo, variance_preserving,
};
use crate::sampling::{ModelSampling, NoiseTable, Prediction};

#[test]
fn names_are_in_the_original_order() {
    let names: Vec<&str> = SCHEDULERS.iter().map(|scheduler| scheduler.name).collect();
    let want = [
        "simple",
        "sgm_uniform",
        "karras",
        "exponential",
        "ddim_uniform",
        "beta",
        "normal",
        "linear_quadratic",
        "kl_optimal",
    ];
    assert_eq!(names, want);
    assert!(find_scheduler("karras").is_some() && find_scheduler("Karras").is_none());
}

#[test]
fn levels_descend_to_zero() {
    let table = ModelSampling::stable_diffusion(Prediction::Epsilon).table;
    for scheduler in SCHEDULERS {
        assert!(scheduler.sigmas(&table, 0).is_empty());
        for steps in [1, 2, 3, 4, 5, 7, 20, 50, 333, 999, 1000, 1500] {
            let sigmas = scheduler.sigmas(&table, steps);
            let label = format!("{} with {steps} steps", scheduler.name);
            assert_eq!(sigmas.last(), Some(&0.0), "{label}");
            if scheduler.name == "kl_optimal" && steps == 1 {
                // The one level that is documented not to be a number.
                assert!(sigmas[0].is_nan());
                continue;
            }
            assert!(sigmas.iter().all(|sigma| sigma.is_finite()), "{label}");
            // More steps than the table has entries repeat entries.
            assert!(sigmas.is_sorted_by(|high, low| high >= low), "{label}");
            if steps <= 1000 {
                assert!(sigmas.is_sorted_by(|high, low| high > low), "{label}");
            }
            if !matches!(scheduler.name, "ddim_uniform" | "beta") {
                assert_eq!(sigmas.len(), steps + 1, "{label}");
            }
        }
    }
}

#[test]
fn levels_equal_the_recorded_ones() {
    let golden = comfy_fixtures::golden("sigmas_sd15_tiny");
    let table = ModelSampling::stable_diffusion(Prediction::Epsilon).table;
    for scheduler in SCHEDULERS {
        for steps in [1, 2, 3, 4, 5, 8, 10, 20, 30, 50] {
            let name = format!("{}.{steps}", scheduler.name);
            assert_levels(
                &name,
                &scheduler.sigmas(&table, steps),
                &golden.tensor(&name).1,
            );
        }
    }
}

/// Levels agree to a relative 10⁻⁶; one that is not a number must not be one on either side.
pub(crate) fn assert_levels(name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "number of levels of {name}");
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let near = (got - want).abs() <= 1e-6 * want.abs();
        assert!(
            near || got.is_nan() && want.is_nan(),
            "{name}[{index}] is {got}, expected {want}"
        );
    }
}

#[test]
fn levels_between_given_ends_equal_the_recorded_ones() {
    let golden = comfy_fixtures::golden("sigmas_nodes");
    let (high, low) = (14.614_642, 0.029_167_5);
    let table = ModelSampling::stable_diffusion(Prediction::Epsilon).table;
    for (name, got) in [
        ("KarrasScheduler.20", karras_between(20, low, high, 7.0)),
        (
            "ExponentialScheduler.20",
            exponential_between(20, low, high),
        ),
        (
            "PolyexponentialScheduler.20",
            polyexponential_between(20, low, high, 1.0),
        ),
        (
            "PolyexponentialScheduler.20.rho3",
            polyexponential_between(20, low, high, 3.0),
        ),
        (
            "LaplaceScheduler.20",
            laplace_between(20, low, high, 0.0, 0.5),
        ),
        ("VPScheduler.20", variance_preserving(20, 19.9, 0.1, 0.001)),
        ("BetaSamplingScheduler.20", beta_with(&table, 20, 0.6, 0.6)),
        ("SDTurboScheduler.1", turbo(&table, 1, 1.0)),
        ("SDTurboScheduler.4", turbo(&table, 4, 1.0)),
    ] {
        assert_levels(name, &got, &golden.tensor(name).1);
    }
}

#[test]
fn changed_tables_equal_the_recorded_ones() {
    let golden = comfy_fixtures::golden("sigmas_nodes");
    let normal = find_scheduler("normal").expect("it is listed");
    for (stretched, table) in [
        (0, NoiseTable::scaled_linear(0.000_85, 0.012, 1000)),
        (
            1,
            NoiseTable::scaled_linear(0.000_85, 0.012, 1000).with_zero_terminal_snr(),
        ),
    ] {
        for (kind, table) in [("eps", table.clone()), ("lcm", table.distilled(50))] {
            let name = format!("ModelSamplingDiscrete.{kind}.zsnr{stretched}");
            let recorded = |what: &str| golden.tensor(&format!("{name}.{what}")).1;
            assert_levels(&name, table.sigmas(), &recorded("table"));
            assert_levels(&name, &normal.sigmas(&table, 20), &recorded("normal.20"));
        }
    }
    let name = "ModelSamplingContinuousEDM.pg.karras.20";
    let table = NoiseTable::continuous_edm(0.002, 120.0);
    let karras = find_scheduler("karras").expect("it is listed");
    assert_levels(name, &karras.sigmas(&table, 20), &golden.tensor(name).1);
}
