//! Rules on all registered node classes. Every failure is collected, so that one run shows them all.

use std::collections::BTreeSet;

use comfy_graph::{EmptyCatalog, InputSpec, Json, NodeRegistry, NodeSchema, Section};

fn schemas() -> Vec<NodeSchema> {
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).expect("every id is registered once");
    registry
        .iter()
        .map(|(_, class)| class.schema(&EmptyCatalog))
        .collect()
}

fn check(rule: impl Fn(&NodeSchema, &mut Vec<String>)) {
    let mut failures = Vec::new();
    let schemas = schemas();
    assert!(!schemas.is_empty());
    for schema in &schemas {
        let mut found = Vec::new();
        rule(schema, &mut found);
        failures.extend(
            found
                .into_iter()
                .map(|failure| format!("{}: {failure}", schema.id)),
        );
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// A sentence for people: it begins with a capital or a sign, and ends with a full stop.
fn is_sentence(text: &str) -> bool {
    text.chars().count() > 8 && text.ends_with('.') && !text.starts_with(char::is_lowercase)
}

fn visible(schema: &NodeSchema) -> impl Iterator<Item = &InputSpec> {
    schema
        .inputs
        .iter()
        .filter(|input| input.section != Section::Hidden)
}

#[test]
fn everything_is_documented() {
    check(|schema, failures| {
        if !is_sentence(&schema.description) {
            failures.push(format!("description {:?}", schema.description));
        }
        for input in visible(schema) {
            let tooltip = input
                .settings
                .get("tooltip")
                .and_then(Json::as_str)
                .unwrap_or_default();
            if !is_sentence(tooltip) {
                failures.push(format!("tooltip of {}: {tooltip:?}", input.name));
            }
        }
        for output in &schema.outputs {
            let tooltip = output.tooltip.as_deref().unwrap_or_default();
            if !is_sentence(tooltip) {
                failures.push(format!("tooltip of output {}: {tooltip:?}", output.name));
            }
        }
    });
}

/// Numbers that `ComfyUI` declares without a default or a range.
const UNLIMITED: [(&str, &str); 4] = [
    ("PrimitiveInt", "value"),
    ("PrimitiveFloat", "value"),
    ("StringSubstring", "start"),
    ("StringSubstring", "end"),
];

#[test]
fn defaults_lie_in_their_ranges() {
    check(|schema, failures| {
        for input in visible(schema) {
            let number = |key: &str| input.settings.get(key).and_then(Json::as_f64);
            let (default, min, max) = (number("default"), number("min"), number("max"));
            if min.zip(max).is_some_and(|(min, max)| min > max) {
                failures.push(format!("{}: the range is empty", input.name));
            }
            if default.is_some_and(|default| {
                min.is_some_and(|min| default < min) || max.is_some_and(|max| default > max)
            }) {
                failures.push(format!(
                    "{}: the default is outside of the range",
                    input.name
                ));
            }
            if matches!(input.socket.name(), "INT" | "FLOAT")
                && (default.is_none() || min.is_none() || max.is_none())
                && !UNLIMITED.contains(&(schema.id.as_str(), input.name.as_str()))
            {
                failures.push(format!(
                    "{}: a number needs a default and a range",
                    input.name
                ));
            }
        }
    });
}

#[test]
fn names_are_those_of_comfyui() {
    check(|schema, failures| {
        if schema.category.is_empty() || schema.display_name().is_empty() {
            failures.push("it needs a category and a name".to_owned());
        }
        let modules = ["nodes", "custom_nodes.websocket_image_save"];
        if !modules.contains(&schema.module.as_str()) && !schema.module.starts_with("comfy_extras.")
        {
            failures.push(format!("module {:?} is none of ComfyUI's", schema.module));
        }
        // `*` takes any type.
        let wire = |name: &str| {
            name == "*"
                || name
                    .chars()
                    .all(|letter| letter.is_ascii_uppercase() || letter == '_')
        };
        for input in &schema.inputs {
            // A dot stands in the names of parts of a network.
            if !input
                .name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'))
                || !wire(input.socket.name())
            {
                failures.push(format!(
                    "input {} of type {}",
                    input.name,
                    input.socket.name()
                ));
            }
        }
    });
}

#[test]
fn ids_are_unique() {
    let schemas = schemas();
    let ids: BTreeSet<&str> = schemas.iter().map(|schema| schema.id.as_str()).collect();
    assert_eq!(ids.len(), schemas.len());
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).expect("the first time");
    assert!(
        comfy_nodes::register(&mut registry).is_err(),
        "a second registration is refused"
    );
}
