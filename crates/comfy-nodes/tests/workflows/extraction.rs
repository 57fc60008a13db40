//! A difference of two models, saved as a file of changes, turns one into the other.

use std::collections::HashMap;

use comfy_diffusion::weights::Weights;
use comfy_nodes::runtime::PreviewMethod;
use comfy_nodes::sockets::Latent;
use serde_json::{Value as Json, json};

use crate::workshop::Workshop;

fn values(latent: &Latent) -> Vec<f32> {
    latent.samples.clone().into_data().try_into_vec().unwrap()
}

#[test]
fn differences_are_saved_and_made_again() {
    comfy_fixtures::checkpoint("sd15_tiny_b");
    let workshop = Workshop::new(PreviewMethod::None);
    let save = |kind: &str, prefix: &str, vectors: bool| {
        let prompt = json!({
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
            "5": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny_b.safetensors"}},
            "6": {"class_type": "ModelMergeSubtract", "inputs": {"model1": ["5", 0], "model2": ["4", 0], "multiplier": 1.0}},
            "7": {"class_type": "CLIPMergeSubtract", "inputs": {"clip1": ["5", 1], "clip2": ["4", 1], "multiplier": 1.0}},
            "8": {"class_type": "LoraSave", "inputs": {"filename_prefix": format!("loras/{prefix}"), "rank": 2, "lora_type": kind,
                "bias_diff": vectors, "model_diff": ["6", 0], "text_encoder_diff": ["7", 0]}},
        });
        workshop.run(&prompt, "8", &mut HashMap::new()).unwrap();
        let folder = workshop.runtime.folders().output_dir().join("loras");
        folder.join(format!("{prefix}_00001_.safetensors"))
    };
    let sampled = |checkpoint: &str, lora: Option<&str>| {
        let mut prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
        prompt["3"]["inputs"]["steps"] = json!(2);
        prompt["4"]["inputs"]["ckpt_name"] = Json::from(checkpoint);
        if let Some(name) = lora {
            prompt["20"] = json!({"class_type": "LoraLoader", "inputs": {
                "model": ["4", 0], "clip": ["4", 1], "lora_name": name, "strength_model": 1.0, "strength_clip": 1.0}});
            prompt["3"]["inputs"]["model"] = json!(["20", 0]);
            for text in ["6", "7"] {
                prompt[text]["inputs"]["clip"] = json!(["20", 1]);
            }
        }
        let mut done = HashMap::new();
        workshop.run(&prompt, "3", &mut done).unwrap();
        values(&done["3"][0].get().unwrap())
    };
    save("full_diff", "whole", true);
    let standard = save("standard", "parts", false);
    let wanted = sampled("sd15_tiny_b.safetensors", None);
    let made = sampled("sd15_tiny.safetensors", Some("whole_00001_.safetensors"));
    let difference = comfy_fixtures::relative_l2(&made, &wanted);
    println!("whole differences: {difference:.1e}");
    assert!(difference < 0.01, "{difference}");

    let file = Weights::open(&standard).unwrap();
    let shape = |name: &str| file.shape(name).unwrap().to_vec();
    assert_eq!(
        shape("diffusion_model.input_blocks.0.0.lora_up.weight"),
        [32, 2, 1, 1]
    );
    assert_eq!(
        shape("diffusion_model.input_blocks.0.0.lora_down.weight"),
        [2, 4, 3, 3]
    );
    let text = "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1";
    assert_eq!(shape(&format!("{text}.lora_up.weight")), [256, 2]);
    assert!(file.names("").all(|name| name.contains(".lora_")));
    let changed = sampled("sd15_tiny.safetensors", Some("parts_00001_.safetensors"));
    let plain = sampled("sd15_tiny.safetensors", None);
    assert!(comfy_fixtures::relative_l2(&changed, &plain) > 1e-3);
}
