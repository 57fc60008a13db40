//! The inputs of a node for one run, gathered from the prompt and from the results of other nodes.

use std::sync::Arc;

use comfy_graph::{
    InputSpec, Inputs, Json, Link, NodeClass, PromptNode, Section, Slot, Value, python_json,
};
use serde_json::Map;

use crate::cache::NodeResult;
use crate::failure::NodeFailure;

/// A value that is no number, text, truth value or null is described in at most this many characters.
const LONGEST_DESCRIPTION: usize = 2000;

/// What the engine itself gives to nodes.
#[derive(Clone, Copy)]
pub(crate) struct HiddenValues<'a> {
    pub(crate) node_id: &'a str,
    pub(crate) prompt: &'a Arc<Json>,
    pub(crate) extra_pnginfo: &'a Arc<Json>,
    pub(crate) extra_data: &'a Map<String, Json>,
}

impl HiddenValues<'_> {
    /// The value for a hidden input of this type; null if there is none.
    fn of_type(&self, socket: &str) -> Arc<Json> {
        let extra = |key: &str| Arc::new(self.extra_data.get(key).cloned().unwrap_or(Json::Null));
        match socket {
            "PROMPT" | "DYNPROMPT" => Arc::clone(self.prompt),
            "EXTRA_PNGINFO" => Arc::clone(self.extra_pnginfo),
            "UNIQUE_ID" => Arc::new(Json::from(self.node_id)),
            "AUTH_TOKEN_COMFY_ORG" => extra("auth_token_comfy_org"),
            "API_KEY_COMFY_ORG" => extra("api_key_comfy_org"),
            _ => Arc::new(Json::Null),
        }
    }
}

/// Every input of a node, each a list: a node may be called several times.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    lists: Vec<(String, Argument)>,
    /// A link at an input that the class does not declare.
    undeclared: Option<String>,
}

#[derive(Debug)]
enum Argument {
    /// What came along a link: the list of an output slot.
    Wires(Vec<Value>),
    /// A value from the prompt, the same in every call.
    Literal(Json),
    /// A value from the engine, the same in every call.
    Hidden(Arc<Json>),
}

impl Argument {
    fn len(&self) -> usize {
        match self {
            Self::Wires(values) => values.len(),
            Self::Literal(_) | Self::Hidden(_) => 1,
        }
    }
}

impl Arguments {
    /// Collects the inputs of a node; `result_of` knows the results of the nodes that have run.
    pub(crate) fn gather(
        class: &NodeClass,
        node: &PromptNode,
        result_of: impl Fn(&str) -> Option<Arc<NodeResult>>,
        hidden: HiddenValues<'_>,
    ) -> Result<Self, NodeFailure> {
        let mut arguments = Self::default();
        let schema = class.template();
        for (name, value) in &node.inputs {
            let declared = schema
                .input(name)
                .filter(|input| input.section != Section::Hidden);
            let link = Link::read(value).filter(|_| !declared.is_some_and(InputSpec::is_raw_link));
            let argument = match (link, declared) {
                (Some(link), _) => Argument::Wires(values_along(link, &result_of)?),
                (None, Some(_)) => Argument::Literal(value.clone()),
                // ComfyUI ignores values for inputs that do not exist.
                (None, None) => continue,
            };
            if declared.is_none() {
                arguments.undeclared.get_or_insert_with(|| name.clone());
            }
            arguments.lists.push((name.clone(), argument));
        }
        for input in schema
            .inputs
            .iter()
            .filter(|input| input.section == Section::Hidden)
        {
            let value = hidden.of_type(input.socket.name());
            arguments
                .lists
                .push((input.name.clone(), Argument::Hidden(value)));
        }
        Ok(arguments)
    }

    /// How often the node is called: as often as the longest list has values, and once if there is no value at all.
    pub(crate) fn calls(&self) -> usize {
        self.lists
            .iter()
            .map(|(_, list)| list.len())
            .max()
            .unwrap_or(0)
            .max(1)
    }

    /// The inputs of call number `index`: the value there, or the last one of a shorter list.
    pub(crate) fn call(&self, class: &NodeClass, index: usize) -> Result<Inputs, NodeFailure> {
        if let Some(name) = &self.undeclared {
            let class = class.id();
            return Err(NodeFailure::new(
                "TypeError",
                format!("{class}.run() got an unexpected keyword argument '{name}'"),
            ));
        }
        let mut inputs = Inputs::new();
        let nothing_at_all = self.lists.iter().all(|(_, list)| list.len() == 0);
        for (name, list) in &self.lists {
            let slot = match list {
                Argument::Wires(values) => match values.get(index).or(values.last()) {
                    Some(value) => Slot::Wire(value.clone()),
                    None if nothing_at_all => continue,
                    None => {
                        let message =
                            format!("list index out of range: input {name} got an empty list");
                        return Err(NodeFailure::new("IndexError", message));
                    }
                },
                Argument::Literal(json) => Slot::Literal(json.clone()),
                Argument::Hidden(json) => Slot::Hidden(Arc::clone(json)),
            };
            inputs.insert(name.as_str(), slot);
        }
        Ok(inputs)
    }

    /// For clients: each input with its list of values. What is no number, text, truth value or null is described in words.
    pub(crate) fn describe(&self) -> Map<String, Json> {
        let describe = |(name, list): &(String, Argument)| {
            let values = match list {
                Argument::Wires(values) => values.iter().map(describe_value).collect(),
                Argument::Literal(json) => vec![describe_json(json)],
                Argument::Hidden(json) => vec![describe_json(json)],
            };
            (name.clone(), Json::Array(values))
        };
        self.lists.iter().map(describe).collect()
    }
}

fn values_along(
    link: Link<'_>,
    result_of: impl Fn(&str) -> Option<Arc<NodeResult>>,
) -> Result<Vec<Value>, NodeFailure> {
    let Link { node, slot } = link;
    let result = result_of(node).ok_or_else(|| {
        NodeFailure::new("RuntimeError", format!("node {node} has no result yet"))
    })?;
    let count = result.outputs.len();
    link.index(count)
        .and_then(|index| result.outputs.get(index))
        .cloned()
        .ok_or_else(|| {
            NodeFailure::new(
                "IndexError",
                format!("expected one of the {count} outputs of node {node}, found output {slot}"),
            )
        })
}

fn describe_value(value: &Value) -> Json {
    value
        .to_json()
        .map_or_else(|| Json::from(value.socket()), |json| describe_json(&json))
}

fn describe_json(json: &Json) -> Json {
    match json {
        Json::Array(_) | Json::Object(_) => {
            let mut text = python_json::to_string(json);
            if let Some((end, _)) = text.char_indices().nth(LONGEST_DESCRIPTION) {
                text.truncate(end);
                text.push('…');
            }
            Json::String(text)
        }
        // Infinite numbers and NaN, which JSON cannot write, become null.
        primitive => python_json::to_standard(primitive),
    }
}
