use std::collections::BTreeMap;

use comfy_fixtures::checkpoint;

use super::*;
use crate::checkpoint::open_checkpoint;
use crate::device::ComputeDevice;
use crate::weights::patch::Blend;
use crate::weights::{Weights, write_weights};

fn written(tensors: Vec<Outgoing<'_>>) -> Weights {
    let mut file = Vec::new();
    write_weights(&mut file, tensors, &BTreeMap::new()).unwrap();
    Weights::from_bytes("saved", file).unwrap()
}

/// What programs do not save again.
fn is_left_out(name: &str) -> bool {
    ["position_ids", "logit_scale", "attn_mask"]
        .iter()
        .any(|part| name.ends_with(part))
}

#[test]
fn a_saved_checkpoint_has_the_names_and_values_it_was_opened_with() {
    for (name, text) in [
        ("sd15_tiny", "cond_stage_model."),
        ("sd2_v_tiny", "cond_stage_model."),
        ("sdxl_tiny", "conditioner."),
    ] {
        let path = checkpoint(name);
        let original = Weights::open(&path).unwrap();
        let opened = open_checkpoint(&path, &ComputeDevice::cpu()).unwrap();
        let model = opened.model.unwrap();
        let saved = tensors_of_checkpoint(&model, opened.clip.as_ref(), opened.vae.as_ref());
        let saved = written(saved);
        for part in ["model.diffusion_model.", "first_stage_model.", text] {
            for tensor in original.names(part).filter(|name| !is_left_out(name)) {
                assert_eq!(saved.shape(tensor), original.shape(tensor), "{tensor}");
                let [got, want] = [&saved, &original].map(|file| file.values(tensor).unwrap());
                assert!(got == want, "{name}: {tensor}");
            }
        }
        let added: Vec<&str> = saved
            .names("")
            .filter(|name| !original.contains(name))
            .collect();
        let is_velocity = name == "sd2_v_tiny";
        assert_eq!(added.contains(&"v_pred"), is_velocity, "{name}: {added:?}");
        assert!(
            added
                .iter()
                .all(|name| *name == "v_pred" || name.ends_with("position_ids")),
            "{name}: {added:?}"
        );
    }
}

#[test]
fn what_is_saved_is_what_was_merged() {
    let device = ComputeDevice::cpu();
    let open = |name: &str| open_checkpoint(&checkpoint(name), &device).unwrap();
    let (one, other) = (open("sd15_tiny"), open("sd15_tiny_b"));
    let (one_model, other_model) = (one.model.unwrap(), other.model.unwrap());
    let merged = one_model.merged(&other_model, Blend::all(0.25, 0.75));
    let clip = one.clip.unwrap();
    let clip = clip.merged(&other.clip.unwrap(), &Blend::all(1.0, 1.0));
    let saved = written(tensors_of_checkpoint(&merged, Some(&clip), None));
    let files = ["sd15_tiny", "sd15_tiny_b"].map(|name| Weights::open(&checkpoint(name)).unwrap());
    for (name, factors) in [
        ("model.diffusion_model.out.2.weight", [0.25, 0.75]),
        (
            "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
            [1.0, 1.0],
        ),
    ] {
        let got = saved.values(name).unwrap();
        let [one, other] = [&files[0], &files[1]].map(|file| file.values(name).unwrap());
        let wrong = got
            .iter()
            .zip(one.iter().zip(&other))
            .filter(|(got, (a, b))| {
                let want = factors[0] * **a + factors[1] * **b;
                // The result is rounded to 16 bits.
                (**got - want).abs() > want.abs() * 5e-4 + 1e-7
            });
        assert_eq!(wrong.count(), 0, "{name}");
    }
    // Prompts are read with the merged table of tokens, too.
    let plain = open("sd15_tiny").clip.unwrap();
    let [got, plain] = [&clip, &plain].map(|clip| clip.encode("cat").unwrap().cond.into_data());
    assert_ne!(got, plain);
}
