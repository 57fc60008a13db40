//! Chains of picture, mask, latent and text nodes with odd sizes and odd values: the same results as `ComfyUI`'s.
//!
//! `tests/upstream/chains.py record` has written them. Pictures may differ by a level, by two where Lanczos or a palette is in the
//! chain; latents by 1e-5 of the largest value.

use comfy_fixtures::compare_pictures;
use comfy_tests::http::Client;
use comfy_tests::picture;
use comfy_tests::server::{TestServer, copy};
use serde_json::Value;

/// Values of a `.latent` file's tensor, and its shape.
fn latent(bytes: &[u8]) -> (Value, Vec<f32>) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let entry = &header["latent_tensor"];
    let offset = |index: usize| 8 + length + entry["data_offsets"][index].as_u64().unwrap() as usize;
    let values = bytes[offset(0)..offset(1)].chunks_exact(4);
    let values = values.map(|value| f32::from_le_bytes(value.try_into().unwrap()));
    (entry["shape"].clone(), values.collect())
}

/// What differs between a file and the recorded one, if it is more than may be.
fn difference(got: &[u8], name: &str, levels: u64) -> Option<String> {
    let want = comfy_fixtures::bytes(&format!("chains/{name}"));
    if name.ends_with(".latent") {
        let ((shape, got), (wanted, want)) = (latent(got), latent(&want));
        if shape != wanted {
            return Some(format!("shape {shape} for {wanted}"));
        }
        let largest = want.iter().fold(1e-6_f32, |largest, value| largest.max(value.abs()));
        let most = got.iter().zip(&want).map(|(a, b)| (a - b).abs());
        let most = most.fold(0.0_f32, f32::max);
        return (most > 1e-5 * largest).then(|| format!("{most} of {largest}"));
    }
    let (got, want) = (picture::decode(got), picture::decode(&want));
    let size = |picture: &picture::Picture| (picture.width, picture.height, picture.channels);
    if size(&got) != size(&want) {
        return Some(format!("size {:?} for {:?}", size(&got), size(&want)));
    }
    let found = compare_pictures(&got.pixels, &want.pixels);
    (u64::from(found.max) > levels).then(|| format!("{found:?}"))
}

fn check(client: &Client, chain: &Value) -> Vec<String> {
    let entry = client.run_prompt(&chain["prompt"]);
    if entry["status"]["status_str"] != "success" {
        return vec![entry["status"]["messages"].to_string()];
    }
    let mut failures = Vec::new();
    for (node, expected) in chain["results"].as_object().unwrap() {
        let output = &entry["outputs"][node];
        let items = ["images", "latents"].iter().find_map(|key| output[key].as_array());
        let Some(items) = items else {
            if output["text"] != *expected {
                failures.push(format!("node {node}: {} for {expected}", output["text"]));
            }
            continue;
        };
        let expected = expected.as_array().unwrap();
        if items.len() != expected.len() {
            failures.push(format!("node {node}: {} for {}", items.len(), expected.len()));
            continue;
        }
        for (item, name) in items.iter().zip(expected) {
            let name = name.as_str().unwrap();
            let bytes = client.view(item).expect(200).body;
            let found = difference(&bytes, name, chain["levels"].as_u64().unwrap());
            failures.extend(found.map(|found| format!("{name}: {found}")));
        }
    }
    failures
}

#[test]
fn chains_give_what_comfyui_gives() {
    let inputs = comfy_fixtures::path("chains/input");
    let server = TestServer::start_with(
        |_| {},
        |base| {
            for file in std::fs::read_dir(inputs).unwrap() {
                let file = file.unwrap();
                copy(&file.path(), &base.join("input").join(file.file_name()));
            }
        },
    );
    let client = server.client();
    let chains = comfy_fixtures::json("chains/chains.json");
    let mut failures = Vec::new();
    for chain in chains.as_array().unwrap() {
        for failure in check(&client, chain) {
            failures.push(format!("{}: {failure}\n    {}", chain["focus"], chain["prompt"]));
        }
    }
    assert!(chains.as_array().unwrap().len() >= 60);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
