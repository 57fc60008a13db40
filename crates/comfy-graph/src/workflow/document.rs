//! The file as plain graphs.

use super::WorkflowError;
use crate::Json;
use indexmap::IndexMap;
use serde_json::Map;
use std::collections::{HashMap, HashSet};

/// Nodes of a whole file, subgraphs counted once.
const MAX_NODES: usize = 100_000;
/// Links of a whole file.
const MAX_LINKS: usize = 200_000;
/// Inputs or outputs of a node, or of a subgraph.
const MAX_SLOTS: usize = 1000;
/// In the links of a subgraph, the id of the node that stands for its inputs.
const INPUTS: &str = "-10";
/// In the links of a subgraph, the id of the node that stands for its outputs.
const OUTPUTS: &str = "-20";

/// A saved workflow.
#[derive(Debug, Default)]
pub(super) struct Document {
    /// The graphs; the first is the one that the file opens with, the others are subgraphs.
    pub(super) graphs: Vec<Graph>,
    /// Subgraphs by the class name of their instances.
    pub(super) subgraphs: HashMap<String, usize>,
    /// Which front end saved the file, as far as it says so.
    pub(super) saved_by: Option<(u32, u32)>,
}

/// A graph or subgraph.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The name of a subgraph.
    pub(super) name: String,
    /// Nodes by id.
    pub(super) nodes: IndexMap<String, Node>,
    /// Links by id.
    pub(super) links: IndexMap<i64, Link>,
    /// Inputs of a subgraph.
    pub(super) inputs: Vec<Port>,
    /// Outputs of a subgraph.
    pub(super) outputs: Vec<Port>,
    /// Whether it was a group node.
    pub(super) is_group: bool,
}

/// An input or output of a subgraph.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) kind: String,
    /// Links to it from the inside, in the order of the file.
    pub(super) links: Vec<i64>,
}

/// Where a link comes from and goes to.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) origin: End,
    pub(super) target: End,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// A slot of a node.
    Node(String, usize),
    /// An input or output of the subgraph that the link belongs to.
    Border(usize),
}

/// A node as it was saved.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) class: String,
    pub(super) title: Option<String>,
    pub(super) mode: Mode,
    pub(super) order: i64,
    pub(super) inputs: Vec<SavedInput>,
    /// The types of the outputs.
    pub(super) outputs: Vec<String>,
    pub(super) values: SavedValues,
    pub(super) properties: Map<String, Json>,
}

/// Whether a node takes part.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It runs.
    #[default]
    Active,
    /// It and what it gives is missing.
    Muted,
    /// Its outputs are its inputs.
    Bypassed,
}

/// An input as it was saved.
#[derive(Debug, Clone)]
pub(super) struct SavedInput {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) link: Option<i64>,
    /// Whether it belongs to a widget.
    pub(super) is_widget: bool,
    /// Another name shown to people.
    pub(super) label: Option<String>,
}

/// Values of widgets.
#[derive(Debug, Default)]
pub(super) enum SavedValues {
    /// None were saved.
    #[default]
    None,
    /// By place.
    List(Vec<Json>),
    /// By name.
    Named(Map<String, Json>),
}

impl Document {
    pub(super) fn read(workflow: &Json) -> Result<Self, WorkflowError> {
        let mut document = Self {
            saved_by: workflow
                .pointer("/extra/frontendVersion")
                .and_then(Json::as_str)
                .and_then(version),
            ..Self::default()
        };
        document.graphs.push(Graph::read(workflow, "the workflow")?);
        let definitions = workflow.pointer("/definitions/subgraphs");
        for definition in definitions.and_then(Json::as_array).into_iter().flatten() {
            let Some(id) = definition.get("id").and_then(Json::as_str) else {
                return Err(unexpected("a subgraph", "an id", definition));
            };
            let place = format!("subgraph {id}");
            let mut graph = Graph::read(definition, &place)?;
            graph.name = text(definition, "name").unwrap_or_else(|| id.to_owned());
            graph.inputs = ports(definition, "inputs");
            graph.outputs = ports(definition, "outputs");
            check(&place, "inputs", graph.inputs.len(), MAX_SLOTS)?;
            check(&place, "outputs", graph.outputs.len(), MAX_SLOTS)?;
            document.add_subgraph(id.to_owned(), graph);
        }
        let count = |size: fn(&Graph) -> usize| document.graphs.iter().map(size).sum::<usize>();
        check(
            "the workflow",
            "nodes",
            count(|graph| graph.nodes.len()),
            MAX_NODES,
        )?;
        check(
            "the workflow",
            "links",
            count(|graph| graph.links.len()),
            MAX_LINKS,
        )?;
        document.complete_ports();
        Ok(document)
    }

    pub(super) fn add_subgraph(&mut self, class: String, graph: Graph) {
        self.subgraphs.insert(class, self.graphs.len());
        self.graphs.push(graph);
    }

    /// The subgraph that a node is an instance of.
    pub(super) fn subgraph_of(&self, node: &Node) -> Option<usize> {
        self.subgraphs.get(&node.class).copied()
    }

    /// Ports of hand-written files may lack the list of their links.
    fn complete_ports(&mut self) {
        for graph in &mut self.graphs {
            let mut ids: Vec<i64> = graph.links.keys().copied().collect();
            ids.sort_unstable();
            let listed: HashSet<i64> = graph
                .inputs
                .iter()
                .chain(&graph.outputs)
                .flat_map(|port| port.links.iter().copied())
                .collect();
            for id in ids.into_iter().filter(|id| !listed.contains(id)) {
                let link = &graph.links[&id];
                if let End::Border(slot) = link.origin
                    && let Some(port) = graph.inputs.get_mut(slot)
                {
                    port.links.push(id);
                }
                if let End::Border(slot) = link.target
                    && let Some(port) = graph.outputs.get_mut(slot)
                {
                    port.links.push(id);
                }
            }
        }
    }
}

impl Graph {
    fn read(json: &Json, place: &str) -> Result<Self, WorkflowError> {
        let nodes = json.get("nodes").and_then(Json::as_array);
        let nodes = nodes.ok_or_else(|| unexpected(place, "a list of nodes", json))?;
        let mut graph = Self::default();
        for node in nodes {
            let id = node.get("id").and_then(id_text);
            let id = id.ok_or_else(|| unexpected(place, "a node with an id", node))?;
            let node = Node::read(node, &id)?;
            graph.nodes.insert(id, node);
        }
        for (id, link) in saved_links(json.get("links")) {
            graph.links.insert(id, link);
        }
        Ok(graph)
    }
}

impl Node {
    pub(super) fn read(json: &Json, id: &str) -> Result<Self, WorkflowError> {
        let class = json.get("type").and_then(Json::as_str);
        let class = class.ok_or_else(|| unexpected(&format!("node {id}"), "a type", json))?;
        let list = |key: &str| json.get(key).and_then(Json::as_array).into_iter().flatten();
        let place = format!("node {id}");
        check(&place, "inputs", list("inputs").count(), MAX_SLOTS)?;
        check(&place, "outputs", list("outputs").count(), MAX_SLOTS)?;
        Ok(Self {
            class: current_name(class).to_owned(),
            title: text(json, "title").filter(|title| !title.is_empty()),
            mode: match json.get("mode").and_then(Json::as_i64) {
                Some(2) => Mode::Muted,
                Some(4) => Mode::Bypassed,
                _ => Mode::Active,
            },
            order: json.get("order").and_then(Json::as_i64).unwrap_or_default(),
            inputs: list("inputs").map(SavedInput::read).collect(),
            outputs: list("outputs")
                .map(|output| kind(output.get("type")))
                .collect(),
            values: match json.get("widgets_values") {
                Some(Json::Array(values)) => SavedValues::List(values.clone()),
                Some(Json::Object(values)) => SavedValues::Named(values.clone()),
                _ => SavedValues::None,
            },
            properties: json
                .get("properties")
                .and_then(Json::as_object)
                .cloned()
                .unwrap_or_default(),
        })
    }

    /// The value saved at a place.
    pub(super) fn value(&self, index: usize) -> Option<&Json> {
        match &self.values {
            SavedValues::List(values) => values.get(index),
            _ => None,
        }
    }
}

impl SavedInput {
    fn read(json: &Json) -> Self {
        Self {
            name: text(json, "name").unwrap_or_default(),
            kind: kind(json.get("type")),
            link: json.get("link").and_then(Json::as_i64),
            is_widget: json.get("widget").is_some_and(|widget| !widget.is_null()),
            label: text(json, "label"),
        }
    }
}

/// Classes whose names the front end corrects.
fn current_name(class: &str) -> &str {
    match class {
        "T2IAdapterLoader" => "ControlNetLoader",
        "ConditioningAverage " => "ConditioningAverage",
        "SDV_img2vid_Conditioning" => "SVD_img2vid_Conditioning",
        other => other,
    }
}

/// Links as lists or as objects, in a list or by id.
fn saved_links(json: Option<&Json>) -> Vec<(i64, Link)> {
    let links: Vec<&Json> = match json {
        Some(Json::Array(links)) => links.iter().collect(),
        Some(Json::Object(links)) => links.values().collect(),
        _ => Vec::new(),
    };
    links.into_iter().filter_map(saved_link).collect()
}

fn saved_link(json: &Json) -> Option<(i64, Link)> {
    let member = |index: usize, name: &str| match json {
        Json::Array(members) => members.get(index),
        _ => json.get(name),
    };
    let slot = |index, name| {
        // A few old files have the slot as text.
        let slot = member(index, name)?;
        let read = || slot.as_str().and_then(|text| text.parse().ok());
        slot.as_u64().or_else(read).map(|slot| slot as usize)
    };
    let end = |node: &Json, slot: usize, border: &str| {
        let id = id_text(node)?;
        Some(if id == border {
            End::Border(slot)
        } else {
            End::Node(id, slot)
        })
    };
    let origin = end(member(1, "origin_id")?, slot(2, "origin_slot")?, INPUTS)?;
    let target = end(member(3, "target_id")?, slot(4, "target_slot")?, OUTPUTS)?;
    Some((member(0, "id")?.as_i64()?, Link { origin, target }))
}

fn ports(definition: &Json, key: &str) -> Vec<Port> {
    let ports = definition.get(key).and_then(Json::as_array);
    let port = |port: &Json| Port {
        name: text(port, "name").unwrap_or_default(),
        kind: kind(port.get("type")),
        links: port
            .get("linkIds")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_i64)
            .collect(),
    };
    ports.into_iter().flatten().map(port).collect()
}

/// A type as the front end compares it: lists of choices are combos, everything unnamed fits all.
pub(super) fn kind(json: Option<&Json>) -> String {
    match json {
        Some(Json::String(name)) => name.clone(),
        Some(Json::Array(_)) => "COMBO".to_owned(),
        _ => "*".to_owned(),
    }
}

/// An id, which may be a number.
pub(super) fn id_text(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(json: &Json, key: &str) -> Option<String> {
    json.get(key).and_then(Json::as_str).map(str::to_owned)
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

pub(super) fn check(
    place: &str,
    what: &'static str,
    count: usize,
    limit: usize,
) -> Result<(), WorkflowError> {
    if count <= limit {
        return Ok(());
    }
    Err(WorkflowError::TooMany {
        place: place.to_owned(),
        what,
        limit,
    })
}

fn unexpected(place: &str, expected: &'static str, got: &Json) -> WorkflowError {
    /// Enough to recognise the place by.
    const SHOWN: usize = 80;
    WorkflowError::Unexpected {
        place: place.to_owned(),
        expected,
        got: match got {
            Json::Object(members) => {
                let keys: Vec<&str> = members.keys().take(8).map(String::as_str).collect();
                format!("an object with the members [{}]", keys.join(", "))
            }
            other => other.to_string().chars().take(SHOWN).collect(),
        },
    }
}
