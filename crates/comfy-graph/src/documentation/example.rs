//! Small prompts in which a class does its work.

use std::collections::HashMap;

use serde_json::{Map, json};

use super::choices;
use crate::{InputSpec, Json, NodeSchema, Section, SocketType};

/// Makes examples out of the classes of a registry.
///
/// What an input needs comes from the class that gives it with the fewest nodes before it; widgets get their defaults. Examples
/// end with a node that shows the result.
#[derive(Debug)]
pub struct Examples<'a> {
    schemas: &'a [NodeSchema],
    /// For each type of wire the cheapest class that gives it, its slot, and how many nodes that takes.
    sources: HashMap<&'a str, (usize, usize, usize)>,
}

impl<'a> Examples<'a> {
    /// Looks for the cheapest source of every type.
    pub fn new(schemas: &'a [NodeSchema]) -> Self {
        let mut examples = Self {
            schemas,
            sources: HashMap::new(),
        };
        // Each round finds sources that need one more node before them.
        while examples.improve() {}
        examples
    }

    fn improve(&mut self) -> bool {
        let mut found = false;
        for (index, schema) in self.schemas.iter().enumerate() {
            if schema.deprecated || schema.api_node {
                continue;
            }
            let Some(cost) = self.cost(schema) else {
                continue;
            };
            for (slot, output) in schema.outputs.iter().enumerate() {
                let SocketType::Named(name) = &output.socket else {
                    continue;
                };
                let known = self.sources.get(name.as_str());
                if known.is_none_or(|(_, _, known)| cost < *known) {
                    self.sources.insert(name, (index, slot, cost));
                    found = true;
                }
            }
        }
        found
    }

    /// How many nodes a class needs with itself, as far as that is known.
    fn cost(&self, schema: &NodeSchema) -> Option<usize> {
        let needs = required(schema).filter(|input| needs_link(input));
        needs
            .map(|input| Some(self.source(input)?.2))
            .sum::<Option<usize>>()
            .map(|sum| sum + 1)
    }

    fn source(&self, input: &InputSpec) -> Option<(usize, usize, usize)> {
        let wanted = match input.socket.name() {
            "*" => "STRING",
            name => name,
        };
        let sources = wanted
            .split(',')
            .filter_map(|name| self.sources.get(name.trim()));
        sources.copied().min_by_key(|(_, _, cost)| *cost)
    }

    /// A whole prompt with a node of this class; nothing when one of its inputs has no source.
    pub fn prompt(&self, schema: &NodeSchema) -> Option<Json> {
        let mut prompt = Prompt::default();
        let id = self.add(schema, &mut prompt)?;
        if !schema.output_node {
            let (viewer, input) = self.viewer(schema)?;
            let mut inputs = Map::new();
            for spec in required(viewer) {
                let value = if spec.name == input {
                    json!([id, 0])
                } else {
                    widget_value(spec)?
                };
                inputs.insert(spec.name.clone(), value);
            }
            prompt.push(&viewer.id, inputs);
        }
        Some(Json::Object(prompt.nodes))
    }

    fn add(&self, schema: &NodeSchema, prompt: &mut Prompt) -> Option<String> {
        let mut inputs = Map::new();
        for spec in required(schema) {
            let value = if needs_link(spec) {
                let (source, slot, _) = self.source(spec)?;
                let source = &self.schemas[source];
                let known = prompt.known.get(&source.id).cloned();
                let id = if let Some(id) = known {
                    id
                } else {
                    let id = self.add(source, prompt)?;
                    prompt.known.insert(source.id.clone(), id.clone());
                    id
                };
                json!([id, slot])
            } else {
                widget_value(spec)?
            };
            inputs.insert(spec.name.clone(), value);
        }
        Some(prompt.push(&schema.id, inputs))
    }

    /// The output node with the fewest inputs that shows what the class gives, and its input.
    fn viewer(&self, schema: &NodeSchema) -> Option<(&'a NodeSchema, &'a str)> {
        let given = schema.outputs.first()?.socket.name();
        let mut viewers = Vec::new();
        for viewer in self.schemas.iter().filter(|viewer| viewer.output_node) {
            let mut links = required(viewer).filter(|input| needs_link(input));
            let (Some(input), None) = (links.next(), links.next()) else {
                continue;
            };
            let wanted = input.socket.name();
            if wanted == given || wanted == "*" {
                let rank = (required(viewer).count(), wanted == "*");
                viewers.push((rank, viewer, input.name.as_str()));
            }
        }
        let best = viewers.into_iter().min_by_key(|(rank, _, _)| *rank);
        best.map(|(_, viewer, input)| (viewer, input))
    }
}

#[derive(Default)]
struct Prompt {
    nodes: Map<String, Json>,
    /// Sources that are there already, by class.
    known: HashMap<String, String>,
}

impl Prompt {
    fn push(&mut self, class: &str, inputs: Map<String, Json>) -> String {
        let id = (self.nodes.len() + 1).to_string();
        let node = json!({"class_type": class, "inputs": Json::Object(inputs)});
        self.nodes.insert(id.clone(), node);
        id
    }
}

fn required(schema: &NodeSchema) -> impl Iterator<Item = &InputSpec> {
    let inputs = schema.inputs.iter();
    inputs.filter(|input| input.section == Section::Required)
}

/// Whether the value can only come from another node.
fn needs_link(input: &InputSpec) -> bool {
    let has_widget = choices(&input.socket).is_some()
        || matches!(
            input.socket.name(),
            "INT" | "FLOAT" | "STRING" | "BOOLEAN" | "COMBO"
        );
    !has_widget || input.settings.get("forceInput") == Some(&Json::Bool(true))
}

/// What a new node's widget holds.
fn widget_value(input: &InputSpec) -> Option<Json> {
    if let Some(default) = input.settings.get("default") {
        return Some(default.clone());
    }
    if let Some(choices) = choices(&input.socket) {
        let first = choices.first().cloned();
        return Some(first.unwrap_or_else(|| Json::from(file_name(input))));
    }
    let at_least = |least: f64| {
        let min = input.settings.get("min").and_then(Json::as_f64);
        min.unwrap_or(least).max(least)
    };
    Some(match input.socket.name() {
        "INT" => Json::from(at_least(0.0) as i64),
        "FLOAT" => Json::from(at_least(0.0)),
        "STRING" => Json::from("a text"),
        "BOOLEAN" => Json::from(true),
        "COMBO" => Json::from(file_name(input)),
        _ => return None,
    })
}

/// A name for a file that the server may have.
fn file_name(input: &InputSpec) -> String {
    let folder = input.settings.get("image_folder").and_then(Json::as_str);
    match (input.settings.contains_key("image_upload"), folder) {
        (true, Some(folder)) => format!("example.png [{folder}]"),
        (true, None) => "example.png".to_owned(),
        (false, _) => "example.safetensors".to_owned(),
    }
}
