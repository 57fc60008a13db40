//! Every kind of change against PyTorch, and changes that do not fit.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_fixtures::relative_l2;
use half::{bf16, f16};

use super::*;

/// The strength of the recordings.
const STRENGTH: f32 = 0.7;

fn recorded() -> Weights {
    Weights::open(&comfy_fixtures::path("patches/kinds.safetensors")).unwrap()
}

#[test]
fn every_kind_changes_a_tensor_as_recorded() {
    let file = recorded();
    let kinds: Vec<String> = file
        .names("")
        .filter_map(|name| name.strip_suffix("/after"))
        .map(str::to_owned)
        .collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    for kind in kinds {
        let before = format!("{kind}/before");
        let shape = file.shape(&before).unwrap().to_vec();
        let mut values = file.values(&before).unwrap();
        let adapters = Adapter::read(&file, &kind).unwrap();
        let [("weight", adapter)] = adapters.as_slice() else {
            panic!("{kind}: {adapters:?}");
        };
        adapter.apply(&shape, &mut values, STRENGTH).unwrap();
        let want = file.values(&format!("{kind}/after")).unwrap();
        let difference = relative_l2(&values, &want);
        assert!(difference < 1e-5, "{kind} differs by {difference:.1e}");
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let file = recorded();
    for kind in [
        "lora",
        "loha",
        "lokr",
        "glora",
        "oft",
        "boft",
        "dora_rows",
        "difference",
        "replacement",
    ] {
        let (_, adapter) = Adapter::read(&file, kind).unwrap().remove(0);
        for shape in [&[5_usize, 7][..], &[3], &[], &[0, 4]] {
            let mut values = vec![1.0; shape.iter().product()];
            let before = values.clone();
            assert!(
                adapter.apply(shape, &mut values, 1.0).is_err(),
                "{kind} {shape:?}"
            );
            assert_eq!(values, before);
        }
    }
}

#[test]
fn files_change_the_tensors_that_they_name() {
    let weights = Weights::open(&comfy_fixtures::checkpoint("sd15_tiny")).unwrap();
    let network = weights.root().enter("model.diffusion_model");
    let text = weights.root().enter("cond_stage_model.transformer");
    let file = PatchFile::open(&comfy_fixtures::path("loras/ref_lora_tiny.safetensors")).unwrap();
    let names = NameMap::of_network(&network, |_| Vec::new());
    assert!(!names.is_empty() && names.len() > 500);
    let half = Patches::default().with(&file, 0.5, &names).unwrap();
    let of_text = NameMap::of_text_encoder(&text, "clip_l", false);
    let patches = half.with(&file, 0.5, &of_text).unwrap();
    let adapters = file.adapters(&of_text).unwrap();
    let changed: Vec<&String> = adapters.keys().collect();
    assert!(
        changed
            .iter()
            .all(|name| name.starts_with("cond_stage_model.transformer.text_model"))
    );
    assert!(!changed.is_empty() && !patches.are(&half) && patches.are(&patches.clone()));
    let name = changed[0];
    let plain = weights.root().values(name).unwrap();
    let scope = weights.root().patched(&patches);
    assert_ne!(scope.values(name).unwrap(), plain);
    // Twice half of a change is the whole of it.
    let whole = Patches::default().with(&file, 1.0, &of_text).unwrap();
    let twice = Patches::default()
        .with(&file, 0.5, &of_text)
        .unwrap()
        .with(&file, 0.5, &of_text)
        .unwrap();
    let [whole, twice] =
        [whole, twice].map(|patches| weights.root().patched(&patches).values(name).unwrap());
    assert!(relative_l2(&whole, &twice) < 1e-6);
    // And minus a change takes it back.
    let none = Patches::default()
        .with(&file, 1.0, &of_text)
        .unwrap()
        .with(&file, -1.0, &of_text)
        .unwrap();
    assert!(relative_l2(&weights.root().patched(&none).values(name).unwrap(), &plain) < 1e-6);
}

#[test]
fn weights_are_rounded_last() {
    let weights = Arc::new(Weights::open(&comfy_fixtures::checkpoint("sd15_tiny")).unwrap());
    let name = "out.2.weight";
    let source = TensorSource::new(&weights, "model.diffusion_model", Rounding::None);
    let plain = source.scope().values(name).unwrap();
    for (rounding, round) in [
        (
            Rounding::Half,
            (|value| f16::from_f32(value).to_f32()) as fn(f32) -> f32,
        ),
        (Rounding::Brain, |value| bf16::from_f32(value).to_f32()),
    ] {
        // A change that comes after the rounding was asked for counts before it.
        let patches = Patches::default().rounded(rounding);
        let patches = patches.scaled(&[(name.to_owned(), 0.3)]);
        let got = source.patched(patches).scope().values(name).unwrap();
        let wanted: Vec<f32> = plain.iter().map(|value| round(value * 0.3)).collect();
        assert_eq!(got, wanted, "{rounding:?}");
    }
}

#[test]
fn a_model_goes_part_of_the_way_to_another() {
    let open = |name: &str| {
        let weights = Arc::new(Weights::open(&comfy_fixtures::checkpoint(name)).unwrap());
        TensorSource::new(&weights, "model.diffusion_model", Rounding::None)
    };
    let (own, other) = (open("sd15_tiny"), open("sd15_tiny_b"));
    let name = "out.2.weight";
    let values = |patches: Patches| own.patched(patches).scope().values(name).unwrap();
    let [plain, target] = [&own, &other].map(|source| source.scope().values(name).unwrap());
    let patches = Patches::default().scaled(&[(name.to_owned(), 2.0)]);
    // The way begins where the model was without any change, and is added to what other changes have made.
    for (got, (plain, target)) in values(patches.towards(&other, 0.25))
        .iter()
        .zip(plain.iter().zip(&target))
    {
        let wanted = plain * 2.0 + 0.25 * (target - plain);
        assert!(
            (got - wanted).abs() <= 1e-6 * wanted.abs().max(1e-3),
            "{got} {wanted}"
        );
    }
    assert!(
        !patches
            .towards(&other, 0.25)
            .are(&patches.towards(&other, 0.5))
    );
    assert!(
        patches
            .towards(&other, 0.25)
            .are(&patches.towards(&other, 0.25))
    );
}
