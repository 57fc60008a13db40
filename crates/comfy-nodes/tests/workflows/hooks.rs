//! Prompts with hooks and their relatives, against the latents and texts that `ComfyUI` made of them.

use std::collections::HashMap;

use comfy_nodes::runtime::PreviewMethod;
use comfy_nodes::sockets::{Conditioning, Latent};

use crate::workshop::Workshop;

/// Of so many tokens one is recorded.
const TOKENS: usize = 8;

#[test]
fn hooks_count_for_the_prompts_that_carry_them() {
    for name in ["sd15_tiny", "sd15_tiny_b", "style_sd15_tiny"] {
        comfy_fixtures::checkpoint(name);
    }
    let workshop = Workshop::new(PreviewMethod::None);
    let golden = comfy_fixtures::golden("hooks");
    let cases = comfy_fixtures::json("golden/hooks.json");
    let mut wrong = Vec::new();
    for (name, case) in cases.as_object().unwrap() {
        let mut done = HashMap::new();
        workshop.run(&case["prompt"], "3", &mut done).unwrap();
        let latent: Latent = done["3"][0].get().unwrap();
        let got = latent.samples.into_data().try_into_vec::<f32>().unwrap();
        let want = golden.f32(&format!("{name}.latent"));
        let mut differences = vec![comfy_fixtures::relative_l2(&got, &want)];
        if let Some(texts) = case["texts"].as_array() {
            let encoded: Conditioning = done["6"][0].get().unwrap();
            assert_eq!(encoded.0.len(), texts.len(), "{name}");
            for (index, (text, range)) in encoded.0.iter().zip(texts).enumerate() {
                let ends = [text.text_range.start, text.text_range.end];
                assert_eq!(serde_json::json!(ends), *range, "{name}");
                let [_, tokens, width] = text.cond.dims();
                let values = text.cond.clone().into_data().try_into_vec::<f32>().unwrap();
                let some: Vec<f32> = (0..tokens)
                    .step_by(TOKENS)
                    .flat_map(|token| values[token * width..][..width].to_vec())
                    .collect();
                let want = golden.f32(&format!("{name}.{index}.cond"));
                differences.push(comfy_fixtures::relative_l2(&some, &want));
            }
        }
        println!("{name}: {differences:?}");
        if differences.iter().any(|difference| *difference > 1e-4) {
            wrong.push((name.clone(), differences));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
