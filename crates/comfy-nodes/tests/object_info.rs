//! `/object_info` of the built-in nodes against `ComfyUI`'s, field by field.
//!
//! The recording holds all entries of `ComfyUI` 0.3.64 without their texts (descriptions, tooltips), which are our own. What else
//! differs is listed here with its reason. The order of the classes is ours: families stand together; clients go by name.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use std::sync::Arc;

use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_graph::{Json, NodeRegistry};
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};
use serde_json::{Map, json};

/// Paths into an entry that differ, such as `KSampler/input/required/seed/1/max`, and why. With no model installed there is none.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

/// Members that hold texts.
const TEXTS: [&str; 3] = ["description", "tooltip", "output_tooltips"];

fn runtime(base: &std::path::Path) -> Runtime {
    let options = FoldersOptions {
        base: base.to_path_buf(),
        ..FoldersOptions::default()
    };
    let folders = Folders::new(options).unwrap();
    folders.create_all().unwrap();
    std::fs::write(folders.input_dir().join("example.png"), "").unwrap();
    Runtime::new(RuntimeOptions {
        folders: Arc::new(folders),
        device: DevicePlan::survey(DeviceRequest::Cpu).unwrap(),
        preview: PreviewMethod::None,
        preview_size: 512,
        metadata: true,
    })
}

/// Without texts. An input without settings may be written as `["CLIP"]` or `["CLIP", {}]`: ours have a tooltip where the
/// recording may have none.
fn without_texts(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let kept = members
                .iter()
                .filter(|(key, _)| !TEXTS.contains(&key.as_str()));
            Json::Object(
                kept.map(|(key, value)| (key.clone(), without_texts(value)))
                    .collect::<Map<_, _>>(),
            )
        }
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(without_texts).collect();
            if items.len() == 2 && items[1] == json!({}) {
                items.pop();
            }
            Json::Array(items)
        }
        other => other.clone(),
    }
}

/// The paths at which two values differ. Numbers are compared as Python does: 1 equals 1.0.
fn differences(path: &str, ours: Option<&Json>, recorded: Option<&Json>, found: &mut Vec<String>) {
    match (ours, recorded) {
        (Some(Json::Object(ours)), Some(Json::Object(recorded))) => {
            for key in recorded
                .keys()
                .chain(ours.keys().filter(|key| !recorded.contains_key(*key)))
            {
                differences(
                    &format!("{path}/{key}"),
                    ours.get(key),
                    recorded.get(key),
                    found,
                );
            }
            if path.ends_with("required") && ours.keys().ne(recorded.keys()) {
                found.push(format!("{path} (order)"));
            }
        }
        (Some(Json::Array(ours)), Some(Json::Array(recorded))) if ours.len() == recorded.len() => {
            for (index, (ours, recorded)) in ours.iter().zip(recorded).enumerate() {
                differences(
                    &format!("{path}/{index}"),
                    Some(ours),
                    Some(recorded),
                    found,
                );
            }
        }
        (Some(Json::Number(ours)), Some(Json::Number(recorded)))
            if ours.as_f64() == recorded.as_f64() => {}
        (ours, recorded) if ours == recorded => {}
        _ => found.push(path.to_owned()),
    }
}

#[test]
fn entries_equal_the_recorded_ones() {
    let recorded = comfy_fixtures::packed_json("object_info.json.gz");
    let base = tempfile::tempdir().unwrap();
    let runtime = runtime(base.path());
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();

    let mut found = Vec::new();
    for (id, class) in registry.iter() {
        let entry = serde_json::to_value(class.schema(&runtime).to_object_info()).unwrap();
        assert!(recorded.get(id).is_some(), "{id} is not in the recording");
        differences(
            id,
            Some(&without_texts(&entry)),
            Some(&without_texts(&recorded[id])),
            &mut found,
        );
    }
    let known: Vec<&str> = KNOWN_DIFFERENCES.iter().map(|(path, _)| *path).collect();
    assert_eq!(
        found, known,
        "left: what differs, right: what is known to differ"
    );
}
