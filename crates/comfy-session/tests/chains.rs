//! Chains of picture, mask, latent and text nodes with odd sizes and odd values: the same results as `ComfyUI`'s.
//!
//! `tests/upstream/chains.py record` has written them. Pictures may differ by a level, by two where Lanczos or a palette is in the
//! chain; latents by 1e-5 of the largest value.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::Path;

use comfy_nodes::device::DeviceRequest;
use comfy_nodes::pictures::{Frame, ReadLimits, read};
use comfy_session::Session;
use serde_json::Value;

/// Shape and values of a `.latent` file's tensor.
fn latent(path: &Path) -> (Value, Vec<f32>) {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let entry = &header["latent_tensor"];
    let offset =
        |index: usize| 8 + length + entry["data_offsets"][index].as_u64().unwrap() as usize;
    let values = bytes[offset(0)..offset(1)].chunks_exact(4);
    let values = values.map(|value| f32::from_le_bytes(value.try_into().unwrap()));
    (entry["shape"].clone(), values.collect())
}

/// What differs between two files, if it is more than may be.
fn difference(got: &Path, want: &Path, levels: u64) -> Option<String> {
    if want.extension().unwrap() == "latent" {
        let ((shape, got), (wanted, want)) = (latent(got), latent(want));
        if shape != wanted {
            return Some(format!("shape {shape} for {wanted}"));
        }
        let largest = want
            .iter()
            .fold(1e-6_f32, |largest, value| largest.max(value.abs()));
        let differences = got.iter().zip(&want).map(|(a, b)| (a - b).abs());
        let most = differences.fold(0.0_f32, f32::max);
        return (most > 1e-5 * largest).then(|| format!("{most} of {largest}"));
    }
    let [got, want] = [got, want].map(|path| read(path, &ReadLimits::default()).unwrap());
    let (got, want) = (&got.frames[0], &want.frames[0]);
    if (got.width, got.height) != (want.width, want.height) {
        return Some(format!("size {}x{}", got.width, got.height));
    }
    if got.alpha.is_some() != want.alpha.is_some() {
        return Some(format!("opacity {}", got.alpha.is_some()));
    }
    let values = |picture: &Frame| {
        let alpha = picture.alpha.iter().flatten();
        picture
            .rgb
            .iter()
            .chain(alpha)
            .copied()
            .collect::<Vec<u8>>()
    };
    let (got, want) = (values(got), values(want));
    let most = got.iter().zip(&want).map(|(a, b)| a.abs_diff(*b)).max();
    let most = most.unwrap_or_default();
    (u64::from(most) > levels).then(|| format!("{most} levels"))
}

/// The failures of one chain.
fn check(session: &Session, chain: &Value) -> Vec<String> {
    let outcome = match session.run(chain["prompt"].clone(), &[], |_| {}) {
        Ok(outcome) => outcome,
        Err(error) => return vec![error.to_string()],
    };
    let entry = serde_json::to_value(&*outcome.entry).unwrap();
    let mut failures = Vec::new();
    for (node, expected) in chain["results"].as_object().unwrap() {
        let output = &entry["outputs"][node];
        let files = ["images", "latents"]
            .iter()
            .find_map(|key| output[key].as_array());
        let Some(files) = files else {
            if output["text"] != *expected {
                failures.push(format!("node {node}: {} for {expected}", output["text"]));
            }
            continue;
        };
        let expected = expected.as_array().unwrap();
        if files.len() != expected.len() {
            failures.push(format!(
                "node {node}: {} files for {}",
                files.len(),
                expected.len()
            ));
            continue;
        }
        for (file, name) in files.iter().zip(expected) {
            let name = name.as_str().unwrap();
            let folder = session.folders().output_dir();
            let got = folder.join(file["subfolder"].as_str().unwrap());
            let got = got.join(file["filename"].as_str().unwrap());
            let want = comfy_fixtures::path(&format!("chains/{name}"));
            let found = difference(&got, &want, chain["levels"].as_u64().unwrap());
            failures.extend(found.map(|found| format!("{name}: {found}")));
        }
    }
    failures
}

#[test]
fn chains_give_what_comfyui_gives() {
    let session = Session::builder()
        .device(DeviceRequest::Cpu)
        .start()
        .unwrap();
    for file in std::fs::read_dir(comfy_fixtures::path("chains/input")).unwrap() {
        let file = file.unwrap();
        let to = session.folders().input_dir().join(file.file_name());
        std::fs::copy(file.path(), to).unwrap();
    }
    let chains = comfy_fixtures::json("chains/chains.json");
    let chains = chains.as_array().unwrap();
    let mut failures = Vec::new();
    for chain in chains {
        for failure in check(&session, chain) {
            failures.push(format!(
                "{}: {failure}\n    {}",
                chain["focus"], chain["prompt"]
            ));
        }
    }
    assert!(chains.len() >= 60);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
