//! Prompts, saved workflows, and the JSON that they come in.

use std::sync::{Arc, OnceLock};

use comfy_api::object_info::ObjectInfo;
use comfy_graph::workflow::{LocalTime, Surroundings, is_workflow, prompt_from_workflow};
use comfy_graph::{Json, NodeRegistry, Prompt, Services, validate};

use crate::place;

fn registry() -> &'static NodeRegistry {
    static REGISTRY: OnceLock<NodeRegistry> = OnceLock::new();
    REGISTRY.get_or_init(|| {
        let mut registry = NodeRegistry::new();
        comfy_nodes::register(&mut registry)
            .unwrap_or_else(|error| panic!("no node classes: {error}"));
        registry
    })
}

fn classes() -> &'static ObjectInfo {
    static CLASSES: OnceLock<ObjectInfo> = OnceLock::new();
    CLASSES.get_or_init(|| {
        serde_json::from_value(comfy_fixtures::object_info())
            .unwrap_or_else(|error| panic!("the recorded classes: {error}"))
    })
}

/// JSON with Python's additions: what is written is what was read.
pub fn python_json(bytes: &[u8]) {
    use comfy_graph::python_json::{contains_nan, from_slice, from_str, to_standard, to_string};
    let Ok(json) = from_slice(bytes) else {
        return;
    };
    let again = from_str(&to_string(&json));
    assert!(again.is_ok_and(|again| again == json), "{json}");
    let _ = (contains_nan(&json), to_standard(&json));
}

/// A saved workflow, turned into a prompt, which is then validated.
pub fn workflow(bytes: &[u8]) {
    let Ok(json) = comfy_graph::python_json::from_slice(bytes) else {
        return;
    };
    let _ = is_workflow(&json);
    let mut surroundings = Surroundings {
        classes: classes(),
        choose: &mut |_| 0,
        now: LocalTime::default(),
    };
    if let Ok(prompt) = prompt_from_workflow(&json, &mut surroundings) {
        judge(prompt);
    }
}

/// A prompt.
pub fn prompt(bytes: &[u8]) {
    if let Ok(json) = comfy_graph::python_json::from_slice(bytes) {
        judge(json);
    }
}

fn judge(mut prompt: Json) {
    let runtime = place::runtime();
    let mut services = Services::new();
    services.insert(Arc::clone(runtime));
    let valid = validate(&mut prompt, None, registry(), &**runtime, &services);
    let parsed = Prompt::from_json(&prompt);
    if valid.is_ok() {
        // What may run can also be read.
        assert!(parsed.is_ok(), "{prompt}");
    }
}
