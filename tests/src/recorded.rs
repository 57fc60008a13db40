//! Recorded workflows.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::server::{TestServer, place};

/// Puts the files that a recorded workflow names into the server's model folders.
pub fn place_models(server: &TestServer, name: &str) {
    let prompt = comfy_fixtures::json(&format!("workflows/{name}/prompt.json"));
    for node in prompt.as_object().expect("nodes").values() {
        let input = |key: &str| node["inputs"][key].as_str();
        if let Some(file) = input("ckpt_name") {
            let checkpoint = file.trim_end_matches(".safetensors");
            let target = server.path(&format!("models/checkpoints/{file}"));
            place_once(&comfy_fixtures::checkpoint(checkpoint), &target);
        }
        if let Some(file) = input("lora_name") {
            let target = server.path(&format!("models/loras/{file}"));
            place_once(&comfy_fixtures::path(&format!("loras/{file}")), &target);
        }
        for (key, folder) in [
            ("control_net_name", "controlnet"),
            ("model_name", "upscale_models"),
        ] {
            if let Some(file) = input(key) {
                let stem = file.trim_end_matches(".safetensors");
                let target = server.path(&format!("models/{folder}/{file}"));
                place_once(&comfy_fixtures::checkpoint(stem), &target);
            }
        }
        if input("vae_name") == Some("taesd") {
            for part in ["taesd_encoder", "taesd_decoder"] {
                let target = server.path(&format!("models/vae_approx/{part}.safetensors"));
                place_once(&comfy_fixtures::checkpoint(part), &target);
            }
        }
    }
}

/// Tests run beside each other, and two of them may need the same file.
fn place_once(from: &Path, to: &Path) {
    static PLACING: Mutex<()> = Mutex::new(());
    let _placing = PLACING.lock().unwrap_or_else(PoisonError::into_inner);
    if !to.exists() {
        place(from, to);
    }
}
