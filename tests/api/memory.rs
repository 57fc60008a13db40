//! Models within a budget of memory: what the server says of it, and that pictures do not depend on it.

use std::process::Command;
use std::time::{Duration, Instant};

use comfy_nodes::device::{Keeping, MemoryRequest};
use comfy_tests::http::Client;
use comfy_tests::picture;
use comfy_tests::prompts::text_to_image;
use comfy_tests::server::{TestServer, place};
use comfy_tests::skipped;
use serde_json::{Value, json};

use crate::shared::shared;

fn server(memory: MemoryRequest) -> TestServer {
    TestServer::start_with(|config| config.memory = memory, |_| {})
}

fn with_budget(budget: u64) -> TestServer {
    server(MemoryRequest {
        budget: Some(budget),
        ..MemoryRequest::default()
    })
}

/// The pixels of the first picture that a prompt gives.
fn pixels(client: &Client, prompt: &Value) -> Vec<u8> {
    let pictures = client.pictures_of(&client.run_to_success(prompt));
    picture::decode(&pictures[0]).pixels
}

/// A number of the only device.
fn stat(client: &Client, member: &str) -> u64 {
    let stats = client.get_json("/system_stats");
    let value = &stats["devices"][0][member];
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{member}: {stats}"))
}

#[test]
fn system_stats_and_free_tell_of_the_budget() {
    const BUDGET: u64 = 256 << 20;
    let server = with_budget(BUDGET);
    let client = server.client();
    for (total, free) in [
        ("vram_total", "vram_free"),
        ("torch_vram_total", "torch_vram_free"),
    ] {
        assert_eq!(
            (stat(&client, total), stat(&client, free)),
            (BUDGET, BUDGET)
        );
    }
    let first = pixels(&client, &text_to_image(3, 1));
    let loaded = BUDGET - stat(&client, "vram_free");
    // Text encoder, network and autoencoder have 44 MB in 16 bits, 13 of them the table of tokens, which is read from the file.
    assert!((31_000_000..33_000_000).contains(&loaded), "{loaded}");
    for request in [json!({"unload_models": true}), json!({"free_memory": true})] {
        client.post("/free", &request).expect(200);
        let begin = Instant::now();
        while stat(&client, "vram_free") != BUDGET {
            assert!(begin.elapsed() < Duration::from_secs(20), "{request}");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(pixels(&client, &text_to_image(3, 1)), first, "{request}");
        // Of a prompt that is cached nothing is loaded.
        let is_cached = request.get("unload_models").is_some();
        assert_eq!(stat(&client, "vram_free") == BUDGET, is_cached, "{request}");
    }
}

#[test]
fn the_memory_of_a_processor_is_the_machines_unless_a_budget_is_given() {
    let server = shared();
    let stats = server.client().get_json("/system_stats");
    let device = &stats["devices"][0];
    assert_eq!(device["vram_total"], stats["system"]["ram_total"]);
    let total = device["vram_total"].as_u64().unwrap();
    let budget = device["torch_vram_total"].as_u64().unwrap();
    assert!(
        budget >= 128 << 20 && budget <= total.max(256 << 20),
        "{stats}"
    );
    assert!(
        device["torch_vram_free"].as_u64() <= Some(budget),
        "{stats}"
    );
}

#[test]
fn pictures_do_not_depend_on_memory() {
    let prompt = text_to_image(11, 2);
    let expected = pixels(&shared().client(), &prompt);
    for keeping in [
        Keeping::UntilRoomIsNeeded,
        Keeping::OneModel,
        Keeping::NoParts,
    ] {
        let server = server(MemoryRequest {
            budget: Some(8 << 20),
            reserve: None,
            keeping,
        });
        let client = server.client();
        assert_eq!(pixels(&client, &prompt), expected, "{keeping:?}");
        assert!(stat(&client, "vram_free") > 0, "{keeping:?}");
    }
}

/// A picture of 576 by 64 pixels encoded by a node of `encode` and decoded by one of `decode`, which take these inputs further.
#[expect(clippy::needless_pass_by_value, reason = "callers make them for it")]
fn round_trip(encode: (&str, Value), decode: (&str, Value)) -> Value {
    let mut prompt = json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
        "2": {"class_type": "ImageScale", "inputs": {"image": ["1", 0], "upscale_method": "bilinear", "width": 576, "height": 64, "crop": "disabled"}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
        "5": {"class_type": encode.0, "inputs": encode.1},
        "6": {"class_type": decode.0, "inputs": decode.1},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "tiles", "images": ["6", 0]}},
    });
    for (node, input, link) in [("5", "pixels", "2"), ("6", "samples", "5")] {
        prompt[node]["inputs"][input] = json!([link, 0]);
        prompt[node]["inputs"]["vae"] = json!(["4", 2]);
    }
    prompt
}

#[test]
fn autoencoders_fall_to_the_tiles_of_the_nodes() {
    let large = shared();
    let whole = round_trip(("VAEEncode", json!({})), ("VAEDecode", json!({})));
    let tiles = |overlap| json!({"tile_size": 512, "overlap": overlap, "temporal_size": 64, "temporal_overlap": 8});
    let tiled = round_trip(
        ("VAEEncodeTiled", tiles(64)),
        ("VAEDecodeTiled", tiles(128)),
    );
    let expected = pixels(&large.client(), &tiled);
    assert_ne!(pixels(&large.client(), &whole), expected);
    // The autoencoder takes 10 MB of it, and the picture as a whole would take 14.
    let small = with_budget(16 << 20);
    assert_eq!(pixels(&small.client(), &whole), expected);
}

/// Runs in a process of its own, as other tests would count otherwise.
#[test]
fn fifty_prompts_with_four_checkpoints_do_not_grow() {
    const NAME: &str = "memory::fifty_prompts_with_four_checkpoints_do_not_grow";
    const MARK: &str = "COMFY_TEST_ALONE";
    if resident_bytes().is_none() {
        skipped("this system does not tell how much memory a process has; growth was not measured");
        return;
    }
    if std::env::var_os(MARK).is_none() {
        let own = std::env::current_exe().unwrap();
        let output = Command::new(own)
            .args(["--exact", NAME, "--nocapture"])
            .env(MARK, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("MiB after prompt 50"), "{text}");
        return;
    }
    alternate();
}

fn alternate() {
    const CHECKPOINTS: [&str; 4] = ["sd15_tiny", "sd15_tiny_b", "sd2_tiny", "sdxl_tiny"];
    // Less than one of them with all its parts.
    let server = with_budget(48 << 20);
    for name in CHECKPOINTS {
        let target = server.path(&format!("models/checkpoints/{name}.safetensors"));
        if !target.exists() {
            place(&comfy_fixtures::checkpoint(name), &target);
        }
    }
    let client = server.client();
    let mut after = Vec::new();
    for number in 1..=50 {
        let mut prompt = text_to_image(number, 1);
        let name = CHECKPOINTS[number as usize % CHECKPOINTS.len()];
        prompt["4"]["inputs"]["ckpt_name"] = json!(format!("{name}.safetensors"));
        client.run_to_success(&prompt);
        if number % 10 == 0 {
            let mebibytes = resident_bytes().unwrap() >> 20;
            eprintln!("{mebibytes} MiB after prompt {number}");
            after.push(mebibytes);
        }
    }
    let (tenth, last) = (after[0], after[4]);
    assert!(last <= tenth + tenth / 10 + 40, "{after:?} MiB");
}

/// The memory of this process, where the system tells.
fn resident_bytes() -> Option<u64> {
    const PAGE: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}
