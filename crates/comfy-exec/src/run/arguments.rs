//! The inputs of a node for one run, gathered from the graph and from the results of other nodes.

use std::sync::Arc;

use comfy_graph::{
    Blocker, Graph, InputSpec, Inputs, Item, Json, NodeClass, NodeOutput, PromptInput, PromptNode,
    Slot, Value, python_json,
};
use indexmap::IndexMap;
use serde_json::Map;

use crate::caches::NodeResult;
use crate::failure::NodeFailure;

/// A value that is no number, text, truth value or null is described in at most this many characters.
const LONGEST_DESCRIPTION: usize = 2000;

/// What the engine itself gives to nodes.
#[derive(Clone, Copy)]
pub(crate) struct HiddenValues<'a> {
    pub(crate) node_id: &'a str,
    pub(crate) prompt: &'a Arc<Json>,
    pub(crate) graph: &'a Arc<Graph>,
    pub(crate) extra_pnginfo: &'a Arc<Json>,
    pub(crate) extra_data: &'a Map<String, Json>,
}

impl HiddenValues<'_> {
    /// The value for a hidden input of this type; null if there is none.
    fn of_type(&self, socket: &str) -> Slot {
        let extra = |key: &str| Arc::new(self.extra_data.get(key).cloned().unwrap_or(Json::Null));
        Slot::Hidden(match socket {
            "DYNPROMPT" => return Slot::Graph(Arc::clone(self.graph)),
            "PROMPT" => Arc::clone(self.prompt),
            "EXTRA_PNGINFO" => Arc::clone(self.extra_pnginfo),
            "UNIQUE_ID" => Arc::new(Json::from(self.node_id)),
            "AUTH_TOKEN_COMFY_ORG" => extra("auth_token_comfy_org"),
            "API_KEY_COMFY_ORG" => extra("api_key_comfy_org"),
            _ => Arc::new(Json::Null),
        })
    }
}

/// Every input of a node, each a list: a node may be called several times.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    lists: Vec<Argument>,
    /// Under which name the node takes links to inputs that it does not declare.
    rest: Option<String>,
    /// Whether the node takes all values at once.
    takes_lists: bool,
}

#[derive(Debug)]
struct Argument {
    name: String,
    is_declared: bool,
    values: Values,
}

#[derive(Debug)]
enum Values {
    /// What came along a link: the list of an output slot.
    Wires(Vec<Item>),
    /// The same in every call.
    Same(Slot),
}

impl Argument {
    fn len(&self) -> usize {
        match &self.values {
            Values::Wires(values) => values.len(),
            Values::Same(_) => 1,
        }
    }
}

/// What a call gets.
pub(crate) enum Prepared {
    /// Its inputs.
    Inputs(Inputs),
    /// Something that keeps it from running.
    Blocked(Blocker),
}

impl Arguments {
    /// Collects the inputs of a node; `result_of` knows the results of the nodes that have run.
    ///
    /// A lazy input comes only when the node `has_asked` for it, even if its value is known: what other nodes and earlier prompts
    /// happen to have computed must not change how often a node is called, or whether it is blocked.
    pub(crate) fn gather<'r>(
        class: &NodeClass,
        node: &PromptNode,
        result_of: impl Fn(&str) -> Option<&'r Arc<NodeResult>>,
        has_asked: impl Fn(&str) -> bool,
        hidden: HiddenValues<'_>,
    ) -> Result<Self, NodeFailure> {
        let schema = class.template();
        let mut arguments = Self {
            lists: Vec::with_capacity(node.inputs.len()),
            rest: schema.undeclared().map(|rest| rest.name.clone()),
            takes_lists: schema.takes_lists(),
        };
        for (name, input) in &node.inputs {
            let declared = schema
                .input(name)
                .filter(|input| input.section != comfy_graph::Section::Undeclared);
            if declared.is_some_and(InputSpec::is_filled_in) {
                continue;
            }
            let values = match (input, declared) {
                (PromptInput::Link(link), Some(input)) if input.is_raw_link() => {
                    Values::Same(Slot::Link(link.clone()))
                }
                (PromptInput::Link(link), declared) => {
                    let is_lazy = declared.is_some_and(InputSpec::is_lazy);
                    match result_of(&link.node) {
                        _ if is_lazy && !has_asked(name) => Values::Same(Slot::Waiting),
                        Some(result) => Values::Wires(values_along(link, result)?),
                        None if is_lazy => Values::Same(Slot::Waiting),
                        None => return Err(no_result(link)),
                    }
                }
                (PromptInput::Constant(json), Some(_)) => Values::Same(Slot::Literal(json.clone())),
                (PromptInput::Value(value), Some(_)) => Values::Same(Slot::Wire(value.clone())),
                // ComfyUI ignores values for inputs that do not exist.
                (_, None) => continue,
            };
            arguments.push(name, declared.is_some(), values);
        }
        for input in schema.inputs.iter().filter(|input| input.is_filled_in()) {
            let value = hidden.of_type(input.socket.name());
            arguments.push(&input.name, true, Values::Same(value));
        }
        Ok(arguments)
    }

    fn push(&mut self, name: &str, is_declared: bool, values: Values) {
        self.lists.push(Argument {
            name: name.to_owned(),
            is_declared,
            values,
        });
    }

    /// How often the node is called: as often as the longest list has values, and once if there is no value at all.
    pub(crate) fn calls(&self) -> usize {
        if self.takes_lists {
            return 1;
        }
        let lengths = self.lists.iter().map(Argument::len);
        lengths.max().unwrap_or(0).max(1)
    }

    /// The inputs of call number `index`: the value there, or the last one of a shorter list; all values for a node that takes
    /// lists.
    pub(crate) fn call(&self, class: &NodeClass, index: usize) -> Result<Prepared, NodeFailure> {
        let mut inputs = Inputs::new();
        let mut undeclared = IndexMap::new();
        let nothing_at_all = self.lists.iter().all(|list| list.len() == 0);
        for argument in &self.lists {
            let name = &argument.name;
            let slot = match &argument.values {
                Values::Same(Slot::Waiting) => Slot::Waiting,
                Values::Same(slot) if self.takes_lists => Slot::Many(vec![slot.clone()]),
                Values::Same(slot) => slot.clone(),
                Values::Wires(items) if self.takes_lists => {
                    let values: Result<Vec<&Value>, &Blocker> =
                        items.iter().map(Item::as_ref).collect();
                    match values {
                        Ok(values) => {
                            Slot::Many(values.into_iter().cloned().map(Slot::Wire).collect())
                        }
                        Err(blocker) => return Ok(Prepared::Blocked(blocker.clone())),
                    }
                }
                Values::Wires(items) => match items.get(index).or(items.last()) {
                    Some(Ok(value)) => Slot::Wire(value.clone()),
                    Some(Err(blocker)) => return Ok(Prepared::Blocked(blocker.clone())),
                    None if nothing_at_all => continue,
                    None => {
                        let message =
                            format!("list index out of range: input {name} got an empty list");
                        return Err(NodeFailure::new("IndexError", message));
                    }
                },
            };
            if argument.is_declared {
                inputs.insert(name.as_str(), slot);
            } else {
                undeclared.insert(name.clone(), slot);
            }
        }
        match (&self.rest, undeclared.keys().next()) {
            (Some(rest), _) => inputs.insert(rest.as_str(), Slot::Undeclared(undeclared)),
            (None, Some(name)) => {
                let class = class.id();
                let message = format!("{class}.run() got an unexpected keyword argument '{name}'");
                return Err(NodeFailure::new("TypeError", message));
            }
            (None, None) => {}
        }
        Ok(Prepared::Inputs(inputs))
    }

    /// Whether a value for this input is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut lists = self.lists.iter().filter(|argument| argument.name == name);
        lists.any(|argument| !matches!(argument.values, Values::Same(Slot::Waiting)))
    }

    /// For clients: each input with its list of values. What is no number, text, truth value or null is described in words.
    pub(crate) fn describe(&self) -> Map<String, Json> {
        let describe = |argument: &Argument| {
            let values = match &argument.values {
                Values::Wires(items) => items.iter().map(describe_item).collect(),
                Values::Same(slot) => vec![describe_slot(slot)],
            };
            (argument.name.clone(), Json::Array(values))
        };
        self.lists.iter().map(describe).collect()
    }
}

fn no_result(link: &NodeOutput) -> NodeFailure {
    let message = format!("Node {} not found", link.node);
    NodeFailure::new("graph.NodeNotFoundError", message)
}

fn values_along(link: &NodeOutput, result: &NodeResult) -> Result<Vec<Item>, NodeFailure> {
    let count = result.outputs.len();
    link.index(count)
        .and_then(|index| result.outputs.get(index))
        .cloned()
        .ok_or_else(|| {
            let NodeOutput { node, slot } = link;
            NodeFailure::new(
                "IndexError",
                format!("expected one of the {count} outputs of node {node}, found output {slot}"),
            )
        })
}

fn describe_item(item: &Item) -> Json {
    match item {
        Ok(value) => describe_value(value),
        Err(_) => Json::from("a blocker"),
    }
}

fn describe_value(value: &Value) -> Json {
    value
        .to_json()
        .map_or_else(|| Json::from(value.socket()), |json| describe_json(&json))
}

fn describe_slot(slot: &Slot) -> Json {
    match slot {
        Slot::Wire(value) => describe_value(value),
        Slot::Literal(json) => describe_json(json),
        Slot::Hidden(json) => describe_json(json),
        Slot::Graph(_) => Json::from("the graph"),
        Slot::Link(NodeOutput { node, slot }) => Json::from(format!("['{node}', {slot}]")),
        Slot::Many(_) | Slot::Undeclared(_) | Slot::Waiting => Json::Null,
    }
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

#[cfg(test)]
mod tests;
