//! The OpenAPI document: that the one in the repository is fresh, and that it contains the contract the project began with.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "openapi/contract.rs"]
mod contract;

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Where the document differs from the contract on purpose, with the reason. An entry stands for all findings that begin with it,
/// and must stand for one at least, or it has to go from here.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "get /history 200 application/json.*.status.messages[]: type",
        "ComfyUI sends pairs of an event and its data, not texts",
    ),
    (
        "post /api/v1/prompts 200 header Content-Disposition: pattern",
        "the name is always quoted, which the contract's pattern allows: `filename=\".+\"` for `filename=.+`",
    ),
    (
        "post /history body application/json.delete[]: type",
        "prompt ids are texts; integers are understood as well",
    ),
    (
        "post /queue body application/json.delete[]: type",
        "prompt ids are texts; integers are understood as well",
    ),
    (
        "schema FileOutput: \"abs_path\" is not required",
        "only /api/v1/prompts tells paths on the server; /history answers as ComfyUI does",
    ),
    (
        "schema Node.input.required.*[]: m",
        "the limits on the number of items stand at the list, where they mean something, not at its items",
    ),
    (
        "schema Node.input.hidden.*: type",
        "classes of the third node API put brackets around what the server fills in",
    ),
    (
        "schema Output.*",
        "nodes show other things than files too, such as texts, and in lists",
    ),
    (
        "schema PromptRequest: \"prompt\" is not required",
        "a saved workflow may take its place",
    ),
    (
        "schema QueueTuple[3]: no property extra_pnginfo",
        "what a client sent comes back as it is, whether or not it has the form that the front end's has",
    ),
    (
        "schema Workflow.links[][]: m",
        "the limits on the number of items stand at the list, where they mean something, not at its items",
    ),
];

fn yaml(text: &str) -> Json {
    yaml_serde::from_str(text).unwrap()
}

#[test]
fn the_document_in_the_repository_is_fresh() {
    let kept = include_str!("../../../openapi.yaml");
    let generated = comfy_server::openapi().to_yaml().unwrap();
    assert!(
        yaml(kept) == yaml(&generated),
        "openapi.yaml is stale; run `cargo xtask openapi`"
    );
}

#[test]
fn the_document_contains_the_contract() {
    let contract = yaml(include_str!("seed-openapi.yaml"));
    let document = serde_json::to_value(comfy_server::openapi()).unwrap();
    let found = contract::missing(&contract, &document);
    let is_meant = |finding: &&String| {
        DIFFERENCES
            .iter()
            .any(|(difference, _)| finding.starts_with(difference))
    };
    let unexpected: Vec<_> = found.iter().filter(|finding| !is_meant(finding)).collect();
    let gone: Vec<_> = DIFFERENCES
        .iter()
        .filter(|(difference, _)| !found.iter().any(|finding| finding.starts_with(difference)))
        .collect();
    assert!(
        unexpected.is_empty() && gone.is_empty(),
        "missing from the document:\n{unexpected:#?}\nno longer different:\n{gone:#?}"
    );
}

#[test]
fn every_reference_leads_somewhere() {
    let document = serde_json::to_value(comfy_server::openapi()).unwrap();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(
            document.pointer(pointer).is_some(),
            "{reference} leads nowhere"
        );
    }
}

fn collect_references(value: &Json, found: &mut Vec<String>) {
    match value {
        Json::Object(members) => {
            found.extend(
                members
                    .get("$ref")
                    .and_then(Json::as_str)
                    .map(str::to_owned),
            );
            members
                .values()
                .for_each(|value| collect_references(value, found));
        }
        Json::Array(items) => items
            .iter()
            .for_each(|value| collect_references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_of_the_websocket_is_fresh() {
    let kept = include_str!("../../../asyncapi.yaml");
    assert!(
        yaml(kept) == comfy_server::asyncapi(),
        "asyncapi.yaml is stale; run `cargo xtask asyncapi`"
    );
}

/// Every JSON that is sent or answered has an example, and every operation says what a stranger and a foreign page get.
#[test]
fn every_operation_has_examples() {
    let document = serde_json::to_value(comfy_server::openapi()).unwrap();
    let mut lacking = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let bodies = [("body", &operation["requestBody"])].into_iter();
            let answers = operation["responses"].as_object().unwrap();
            let answers = answers
                .iter()
                .map(|(status, answer)| (status.as_str(), answer));
            for (which, content) in bodies.chain(answers) {
                let json = &content["content"]["application/json"];
                if json.is_object() && json.get("example").or(json.get("examples")).is_none() {
                    lacking.push(format!("{method} {path} {which}"));
                }
            }
            for status in ["401", "403"] {
                assert!(
                    operation["responses"][status].is_object(),
                    "{method} {path}"
                );
            }
        }
    }
    assert!(lacking.is_empty(), "no example: {lacking:#?}");
}

#[test]
fn every_operation_is_described() {
    let document = serde_json::to_value(comfy_server::openapi()).unwrap();
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| text.ends_with('.')),
                "{method} {path} has no summary that is a sentence"
            );
            assert!(
                names.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{method} {path}: the operation's name is taken"
            );
        }
    }
}
