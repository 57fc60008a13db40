//! Prompts, and what comes of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Client, Response};

/// How long a prompt on the tiny checkpoint may take.
pub const PATIENCE: Duration = Duration::from_mins(4);

/// The usual text-to-image graph on the tiny checkpoint: 64×64 pixels, euler, normal, cfg 7.
pub fn text_to_image(seed: u64, steps: u32) -> Value {
    json!({
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a photo of a cat", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
        "3": {"class_type": "KSampler", "inputs": {
            "seed": seed, "steps": steps, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "test", "images": ["8", 0]}},
    })
}

/// A graph without a model: loads a picture, scales it and saves it.
pub fn scale_image(image: &str, width: u32, height: u32) -> Value {
    json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "upscale_method": "bilinear", "width": width, "height": height, "crop": "disabled"}},
        "3": {"class_type": "SaveImage", "inputs": {"filename_prefix": "scaled", "images": ["2", 0]}},
    })
}

impl Client {
    /// Queues a prompt that must be accepted; its id.
    #[track_caller]
    pub fn queue_prompt(&self, prompt: &Value) -> String {
        let answer = self
            .post("/prompt", &json!({"prompt": prompt}))
            .expect(200)
            .json();
        answer["prompt_id"]
            .as_str()
            .unwrap_or_else(|| panic!("no prompt id in {answer}"))
            .to_owned()
    }

    /// Waits until a prompt is in the history; its entry.
    #[track_caller]
    pub fn wait_for(&self, prompt_id: &str) -> Value {
        self.wait_within(prompt_id, PATIENCE)
    }

    /// As [`Client::wait_for`], for prompts that take longer than usual.
    #[track_caller]
    pub fn wait_within(&self, prompt_id: &str, patience: Duration) -> Value {
        let start = Instant::now();
        loop {
            let history = self.get_json(&format!("/history/{prompt_id}"));
            if let Some(entry) = history.get(prompt_id) {
                return entry.clone();
            }
            assert!(
                start.elapsed() < patience,
                "prompt {prompt_id} is not done after {patience:?}; the queue: {}",
                self.get("/queue").text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until a prompt runs.
    #[track_caller]
    pub fn wait_until_running(&self) {
        let start = Instant::now();
        while self.get_json("/queue")["queue_running"] == json!([]) {
            assert!(start.elapsed() < PATIENCE, "nothing runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Runs a prompt to its end; its history entry.
    #[track_caller]
    pub fn run_prompt(&self, prompt: &Value) -> Value {
        self.wait_for(&self.queue_prompt(prompt))
    }

    /// Runs a prompt that must succeed; its history entry.
    #[track_caller]
    pub fn run_to_success(&self, prompt: &Value) -> Value {
        let entry = self.run_prompt(prompt);
        assert_eq!(
            entry["status"]["status_str"], "success",
            "the prompt failed: {}",
            entry["status"]
        );
        entry
    }

    /// Runs a prompt that must fail while it runs; the `execution_error` message.
    #[track_caller]
    pub fn run_to_failure(&self, prompt: &Value) -> Value {
        let entry = self.run_prompt(prompt);
        assert_eq!(
            entry["status"]["status_str"], "error",
            "the prompt did not fail: {}",
            entry["status"]
        );
        let messages = entry["status"]["messages"]
            .as_array()
            .unwrap_or_else(|| panic!("no messages in {entry}"));
        let error = messages
            .iter()
            .find(|message| message[0] == "execution_error");
        error.unwrap_or_else(|| panic!("no execution_error in {messages:?}"))[1].clone()
    }

    /// Waits until nothing runs and nothing is queued.
    #[track_caller]
    pub fn wait_until_idle(&self) {
        let start = Instant::now();
        while self.get_json("/prompt")["exec_info"]["queue_remaining"] != 0 {
            assert!(
                start.elapsed() < PATIENCE,
                "the queue is not empty after {PATIENCE:?}: {}",
                self.get("/queue").text()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All pictures that an entry of the history names, in order of nodes.
    #[track_caller]
    pub fn pictures_of(&self, entry: &Value) -> Vec<Vec<u8>> {
        let outputs = entry["outputs"]
            .as_object()
            .unwrap_or_else(|| panic!("no outputs in {entry}"));
        outputs
            .values()
            .filter_map(|output| output["images"].as_array())
            .flatten()
            .map(|image| self.view(image).expect(200).body)
            .collect()
    }

    /// GET `/view` of a picture as outputs name it.
    #[track_caller]
    pub fn view(&self, image: &Value) -> Response {
        let member = |name: &str| {
            image[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {image}"))
        };
        self.get(&format!(
            "/view?filename={}&subfolder={}&type={}",
            member("filename"),
            member("subfolder"),
            member("type")
        ))
    }
}
