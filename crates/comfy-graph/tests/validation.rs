//! Prompts that were sent to ComfyUI, and what it answered.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use comfy_api::error::{NodeErrors, PromptRefused};
use comfy_graph::{EmptyCatalog, Json, Services, python_json, validate};
use serde_json::{Map, json};

/// Here ours says which nodes form the cycle, where ComfyUI's text is empty.
const OTHER_DETAILS: &[&str] = &["cycle_two"];

#[test]
fn recorded_prompts_get_the_recorded_answers() {
    let registry = support::registry();
    let mut failures = Vec::new();
    let mut count = 0;
    for line in include_str!("fixtures/validation.jsonl").lines() {
        let case = python_json::from_str(line).unwrap();
        let name = case["name"].as_str().unwrap();
        let mut prompt = case["request"]["prompt"].clone();
        let targets: Option<Vec<String>> = case["request"]
            .get("partial_execution_targets")
            .map(|targets| serde_json::from_value(targets.clone()).unwrap());
        let result = validate(
            &mut prompt,
            targets.as_deref(),
            &registry,
            &EmptyCatalog,
            &Services::new(),
        );
        let (status, answer) = match result {
            Ok(validated) => (200, json!({"node_errors": validated.node_errors})),
            Err(invalid) => (
                400,
                json!({"error": invalid.error, "node_errors": invalid.node_errors}),
            ),
        };
        let (expected, found) = (comparable(&case["answer"], name), comparable(&answer, name));
        if case["status"] != status || expected != found {
            failures.push(format!(
                "{name}: expected {expected:#}, found {status} {found:#}"
            ));
        }
        count += 1;
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert_eq!(count, 52);
}

/// Without tracebacks, and with the errors of a node in the order of inputs: ComfyUI's order changes from run to run.
fn comparable(answer: &Json, name: &str) -> Json {
    let mut answer = answer.clone();
    if OTHER_DETAILS.contains(&name) {
        answer["error"]["details"] = Json::Null;
    }
    if let Some(extra) = answer["error"]["extra_info"].as_object_mut() {
        extra.remove("nearest");
    }
    let nodes = answer["node_errors"].as_object_mut().unwrap();
    for problems in nodes.values_mut() {
        let errors = problems["errors"].as_array_mut().unwrap();
        for error in errors.iter_mut() {
            let extra = error["extra_info"].as_object_mut().unwrap();
            if let Some(traceback) = extra.remove("traceback") {
                assert!(traceback.is_array());
            }
            // What ours says besides.
            for more in ["nearest", "searched_folders", "source", "expected_type"] {
                extra.remove(more);
            }
        }
        errors.sort_by_key(|error| error["extra_info"]["input_name"].to_string());
    }
    answer
}

#[test]
fn recorded_answers_survive_a_round_trip() {
    for line in include_str!("fixtures/validation.jsonl").lines() {
        let case = python_json::from_str(line).unwrap();
        let answer = &case["answer"];
        let written = if case["status"] == 400 {
            let read: PromptRefused = serde_json::from_value(answer.clone()).unwrap();
            serde_json::to_value(read).unwrap()
        } else {
            let read: NodeErrors = serde_json::from_value(answer["node_errors"].clone()).unwrap();
            json!({"node_errors": read})
        };
        assert_eq!(&written, answer);
    }
}

#[test]
fn a_cycle_is_named() {
    let registry = support::registry();
    let mut prompt = json!({
        "1": {"class_type": "ImageInvert", "inputs": {"image": ["2", 0]}},
        "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    });
    let invalid = validate(
        &mut prompt,
        None,
        &registry,
        &EmptyCatalog,
        &Services::new(),
    )
    .unwrap_err();
    assert_eq!(
        invalid.error.details,
        "Dependency cycle detected: node 1 needs 2 needs 1"
    );
    assert!(invalid.node_errors.is_empty());
}

/// Nodes `0` to `count`, each linked to the one before it.
fn chain(count: usize) -> Json {
    let mut prompt = Map::new();
    prompt.insert(
        "0".into(),
        json!({"class_type": "LoadImage", "inputs": {"image": "example.png"}}),
    );
    for node in 1..count {
        let source = (node - 1).to_string();
        prompt.insert(
            node.to_string(),
            json!({"class_type": "ImageInvert", "inputs": {"image": [source, 0]}}),
        );
    }
    let source = (count - 1).to_string();
    prompt.insert(
        "save".into(),
        json!({"class_type": "SaveImage", "inputs": {"images": [source, 0], "filename_prefix": "x"}}),
    );
    Json::Object(prompt)
}

#[test]
fn a_hundred_thousand_nodes_in_a_row() {
    let registry = support::registry();
    let started = std::time::Instant::now();
    let mut prompt = chain(100_000);
    let validated = validate(
        &mut prompt,
        None,
        &registry,
        &EmptyCatalog,
        &Services::new(),
    )
    .unwrap();
    assert_eq!(validated.outputs, ["save"]);

    // The first node is bad: every other node is invalid because of it.
    prompt["0"]["inputs"]["image"] = json!("missing.png");
    let invalid = validate(
        &mut prompt,
        None,
        &registry,
        &EmptyCatalog,
        &Services::new(),
    )
    .unwrap_err();
    assert_eq!(invalid.node_errors.len(), 1);
    assert_eq!(invalid.node_errors["0"].dependent_outputs, ["save"]);

    // And a cycle of all of them.
    prompt["0"] = json!({"class_type": "ImageInvert", "inputs": {"image": ["99999", 0]}});
    let invalid = validate(
        &mut prompt,
        None,
        &registry,
        &EmptyCatalog,
        &Services::new(),
    )
    .unwrap_err();
    assert!(
        invalid
            .error
            .details
            .contains("and so on through 99990 more nodes")
    );
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[test]
fn thousands_of_bad_outputs_over_thousands_of_bad_nodes() {
    let registry = support::registry();
    let started = std::time::Instant::now();
    let mut prompt = chain(20_000);
    prompt["0"]["inputs"]["image"] = json!("missing.png");
    for output in 0..20_000 {
        prompt[format!("save {output}")] =
            json!({"class_type": "PreviewImage", "inputs": {"images": ["19999", 0]}});
    }
    let invalid = validate(
        &mut prompt,
        None,
        &registry,
        &EmptyCatalog,
        &Services::new(),
    )
    .unwrap_err();
    assert!(!invalid.node_errors["0"].dependent_outputs.is_empty());
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
