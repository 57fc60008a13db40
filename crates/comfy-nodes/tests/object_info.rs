//! `/object_info` of the built-in nodes against `ComfyUI`'s, field by field.
//!
//! The recording holds all entries of `ComfyUI` 0.3.64 without their texts (descriptions, tooltips), which are our own. What else
//! differs is listed here with its reason. The order of the classes is ours: families stand together; clients go by name.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use std::sync::Arc;

use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_fixtures::object_info_differences;
use comfy_graph::NodeRegistry;
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};

/// Paths into an entry that differ, such as `KSampler/input/required/seed/1/max`, and why. With no model installed there is none.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[];

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

#[test]
fn entries_equal_the_recorded_ones() {
    let recorded = comfy_fixtures::object_info();
    let base = tempfile::tempdir().unwrap();
    let runtime = runtime(base.path());
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();

    let mut found: Vec<String> = Vec::new();
    for (id, class) in registry.iter() {
        let entry = serde_json::to_value(class.schema(&runtime).to_object_info()).unwrap();
        assert!(recorded.get(id).is_some(), "{id} is not in the recording");
        found.extend(object_info_differences(id, &entry, &recorded[id]));
    }
    let known: Vec<&str> = KNOWN_DIFFERENCES.iter().map(|(path, _)| *path).collect();
    assert_eq!(
        found, known,
        "left: what differs, right: what is known to differ"
    );
}
