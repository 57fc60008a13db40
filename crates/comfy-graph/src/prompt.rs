//! Prompts as the engine works with them.

use crate::Json;
use indexmap::IndexMap;
use serde_json::Map;

/// A graph to run: nodes by id, in the order in which the client gave them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prompt {
    /// Nodes by id.
    pub nodes: IndexMap<String, PromptNode>,
}

/// One node of a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PromptNode {
    /// The node class.
    pub class_type: String,
    /// Values and links by input name.
    pub inputs: Map<String, Json>,
    /// The fingerprint that came with the prompt or was found for this run.
    pub is_changed: Option<Json>,
    /// Members that the engine does not look at, such as `_meta`.
    pub other: Map<String, Json>,
    /// The order of the members, so that a prompt is written as it was read.
    layout: Vec<String>,
}

/// A prompt that is not made of nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The prompt is no object.
    #[error("expected an object that maps node ids to nodes")]
    NotAnObject,
    /// A member of the prompt is no node.
    #[error("node {id}: expected an object with class_type and inputs")]
    NotANode {
        /// The id.
        id: String,
    },
}

impl Prompt {
    /// Reads a prompt that passed validation.
    pub fn from_json(json: &Json) -> Result<Self, PromptError> {
        let members = json.as_object().ok_or(PromptError::NotAnObject)?;
        let mut nodes = IndexMap::with_capacity(members.len());
        for (id, node) in members {
            let node = PromptNode::from_json(node)
                .ok_or_else(|| PromptError::NotANode { id: id.clone() })?;
            nodes.insert(id.clone(), node);
        }
        Ok(Self { nodes })
    }

    /// The prompt as it was read, with the fingerprints that were added.
    pub fn to_json(&self) -> Json {
        let nodes = self.nodes.iter();
        Json::Object(
            nodes
                .map(|(id, node)| (id.clone(), node.to_json()))
                .collect(),
        )
    }

    /// The node called `id`.
    pub fn node(&self, id: &str) -> Option<&PromptNode> {
        self.nodes.get(id)
    }
}

impl PromptNode {
    /// A node of a class without inputs.
    pub fn new(class_type: impl Into<String>) -> Self {
        Self {
            class_type: class_type.into(),
            ..Self::default()
        }
    }

    fn from_json(json: &Json) -> Option<Self> {
        let mut node = Self::default();
        for (key, value) in json.as_object()? {
            match (key.as_str(), value) {
                ("class_type", Json::String(class_type)) => node.class_type.clone_from(class_type),
                ("inputs", Json::Object(inputs)) => node.inputs.clone_from(inputs),
                ("is_changed", value) => node.is_changed = Some(value.clone()),
                (_, value) => {
                    node.other.insert(key.clone(), value.clone());
                }
            }
            node.layout.push(key.clone());
        }
        (!node.class_type.is_empty()).then_some(node)
    }

    fn to_json(&self) -> Json {
        let mut members = Map::new();
        for key in &self.layout {
            if let Some(value) = self.member(key) {
                members.insert(key.clone(), value);
            }
        }
        let known = ["class_type", "inputs", "is_changed"];
        let others = self.other.keys().map(String::as_str);
        for key in known.into_iter().chain(others) {
            if !members.contains_key(key)
                && let Some(value) = self.member(key)
            {
                members.insert(key.to_owned(), value);
            }
        }
        Json::Object(members)
    }

    fn member(&self, key: &str) -> Option<Json> {
        if let Some(other) = self.other.get(key) {
            return Some(other.clone());
        }
        match key {
            "class_type" => Some(Json::from(self.class_type.as_str())),
            "inputs" => Some(Json::Object(self.inputs.clone())),
            "is_changed" => self.is_changed.clone(),
            _ => None,
        }
    }

    /// The linked inputs in the order of the prompt.
    pub fn links(&self) -> impl Iterator<Item = (&str, Link<'_>)> {
        self.inputs
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), Link::read(value)?)))
    }
}

/// An input that takes the output of another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Link<'a> {
    /// The id of the node.
    pub node: &'a str,
    /// Which of its outputs; negative numbers count from the end.
    pub slot: i64,
}

impl<'a> Link<'a> {
    /// Reads `[node id, slot]`; every other value is no link.
    pub fn read(value: &'a Json) -> Option<Self> {
        match value.as_array()?.as_slice() {
            [Json::String(node), Json::Number(slot)] => {
                let whole = || slot.as_f64().map(|slot| slot as i64);
                let slot = slot.as_i64().or_else(whole)?;
                Some(Self { node, slot })
            }
            _ => None,
        }
    }

    /// Which of `count` outputs it is.
    pub fn index(&self, count: usize) -> Option<usize> {
        let count = i64::try_from(count).ok()?;
        let index = if self.slot < 0 {
            self.slot.checked_add(count)?
        } else {
            self.slot
        };
        (0..count)
            .contains(&index)
            .then(|| usize::try_from(index).ok())
            .flatten()
    }
}
