//! Prompts with a person, against those that `ComfyUI` made.

use std::collections::HashMap;

use comfy_nodes::runtime::PreviewMethod;
use comfy_nodes::sockets::Conditioning;
use serde_json::json;

use crate::workshop::Workshop;

/// So many tokens of each prompt are recorded.
const TOKENS: usize = 16;

#[test]
fn people_are_put_into_prompts() {
    comfy_fixtures::checkpoint("photo_maker_tiny");
    let workshop = Workshop::new(PreviewMethod::None);
    let golden = comfy_fixtures::golden("photo_maker");
    let prompts: Vec<String> = serde_json::from_str(&golden.metadata("prompts").unwrap()).unwrap();
    for (index, text) in prompts.iter().enumerate() {
        let prompt = json!({
            "1": {"class_type": "PhotoMakerLoader", "inputs": {"photomaker_model_name": "photo_maker_tiny.safetensors"}},
            "2": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
            "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
            "9": {"class_type": "PhotoMakerEncode", "inputs": {
                "photomaker": ["1", 0], "image": ["2", 0], "clip": ["4", 1], "text": text}},
        });
        let mut done = HashMap::new();
        workshop.run(&prompt, "9", &mut done).unwrap();
        let mut encoded: Conditioning = done["9"][0].get().unwrap();
        let encoded = encoded.0.remove(0);
        let values = |data: burn::tensor::TensorData| data.try_into_vec::<f32>().unwrap();
        let cond = values(encoded.cond.narrow(1, 0, TOKENS).into_data());
        let pooled = values(encoded.pooled.unwrap().into_data());
        for (part, got) in [("cond", cond), ("pooled", pooled)] {
            let want = golden.f32(&format!("{index}.{part}"));
            let difference = comfy_fixtures::relative_l2(&got, &want);
            println!("{text:?} {part}: {difference:.1e}");
            assert!(difference <= 1e-4, "{text:?} {part}: {difference:.1e}");
        }
    }
    let long = json!({
        "1": {"class_type": "PhotoMakerLoader", "inputs": {"photomaker_model_name": "photo_maker_tiny.safetensors"}},
        "2": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
        "9": {"class_type": "PhotoMakerEncode", "inputs": {
            "photomaker": ["1", 0], "image": ["2", 0], "clip": ["4", 1], "text": format!("a photomaker {}", "word ".repeat(90))}},
    });
    let error = workshop.run(&long, "9", &mut HashMap::new()).unwrap_err();
    assert!(error.to_string().contains("77 tokens"), "{error}");
}
