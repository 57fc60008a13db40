//! Prompts as the engine works with them.

use crate::{Json, Socket, Value};
use indexmap::IndexMap;
use serde_json::{Map, json};

/// A graph to run: nodes by id, in the order in which the client gave them.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// Nodes by id.
    pub nodes: IndexMap<String, PromptNode>,
}

/// One node of a prompt.
#[derive(Debug, Clone, Default)]
pub struct PromptNode {
    /// The node class.
    pub class_type: String,
    /// What each input is given, in the order of the prompt.
    pub inputs: IndexMap<String, PromptInput>,
    /// The fingerprint that came with the prompt or was found for this run.
    pub is_changed: Option<Json>,
}

/// What an input is given.
#[derive(Debug, Clone)]
pub enum PromptInput {
    /// The output of another node.
    Link(NodeOutput),
    /// A value that stands in the prompt.
    Constant(Json),
    /// A value that a node had in hand when it added this one to the graph; prompts of clients have none.
    Value(Value),
}

/// One of the outputs of a node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeOutput {
    /// The id of the node.
    pub node: String,
    /// Which of its outputs; negative numbers count from the end.
    pub slot: i64,
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
        let members = json.as_object()?;
        let class_type = members.get("class_type")?.as_str()?;
        let inputs = members.get("inputs").and_then(Json::as_object);
        let node = Self {
            class_type: class_type.to_owned(),
            inputs: inputs.map(inputs_from_json).unwrap_or_default(),
            is_changed: members.get("is_changed").cloned(),
        };
        (!node.class_type.is_empty()).then_some(node)
    }

    /// The linked inputs in the order of the prompt.
    pub fn links(&self) -> impl Iterator<Item = (&str, &NodeOutput)> {
        self.inputs
            .iter()
            .filter_map(|(name, input)| Some((name.as_str(), input.link()?)))
    }
}

/// Inputs from the `inputs` of a node.
pub(crate) fn inputs_from_json(inputs: &Map<String, Json>) -> IndexMap<String, PromptInput> {
    let inputs = inputs.iter();
    inputs
        .map(|(name, value)| (name.clone(), PromptInput::from(value.clone())))
        .collect()
}

impl PromptInput {
    /// The link, if it is one.
    pub fn link(&self) -> Option<&NodeOutput> {
        match self {
            Self::Link(link) => Some(link),
            Self::Constant(_) | Self::Value(_) => None,
        }
    }

    /// As it stands in a prompt, where a list that is no link is wrapped; `None` for a value that JSON cannot write.
    pub fn to_json(&self) -> Option<Json> {
        match self {
            Self::Link(link) => Some(json!([link.node, link.slot])),
            Self::Constant(Json::Array(items)) => Some(json!({"__value__": items})),
            Self::Constant(json) => Some(json.clone()),
            Self::Value(value) => value.to_json(),
        }
    }
}

/// JSON is a link if it looks like one, and a constant if not.
impl From<Json> for PromptInput {
    fn from(json: Json) -> Self {
        match Link::read(&json) {
            Some(link) => Self::Link(link.to_output()),
            None => Self::Constant(json),
        }
    }
}

impl From<NodeOutput> for PromptInput {
    fn from(output: NodeOutput) -> Self {
        Self::Link(output)
    }
}

impl From<&str> for PromptInput {
    fn from(text: &str) -> Self {
        Self::Constant(Json::from(text))
    }
}

impl<T: Socket> From<T> for PromptInput {
    fn from(value: T) -> Self {
        Self::Value(Value::new(value))
    }
}

impl NodeOutput {
    /// Which of `count` outputs it is.
    pub fn index(&self, count: usize) -> Option<usize> {
        index(self.slot, count)
    }
}

/// A link as it stands in JSON.
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

    /// The output that it names.
    pub fn to_output(self) -> NodeOutput {
        NodeOutput {
            node: self.node.to_owned(),
            slot: self.slot,
        }
    }
}

/// The place among `count` of a number that counts from the end when it is negative.
pub(crate) fn index(slot: i64, count: usize) -> Option<usize> {
    let count = i64::try_from(count).ok()?;
    let index = if slot < 0 {
        slot.checked_add(count)?
    } else {
        slot
    };
    (0..count)
        .contains(&index)
        .then(|| usize::try_from(index).ok())
        .flatten()
}
