//! `POST /prompt`: a graph to run.

use crate::error::{NodeErrors, NodeProblems};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value as Json};
use utoipa::ToSchema;

/// The body of `POST /prompt`.
///
/// `prompt` stays plain JSON: validation looks at it with the leniency that clients rely on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptRequest {
    /// The graph: nodes by id. May be left out when there is a `workflow`.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    #[schema(value_type = std::collections::BTreeMap<String, PromptNode>, required = false)]
    pub prompt: Json,
    /// A saved workflow to make the prompt of, if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::workflow::Workflow>, nullable = false)]
    pub workflow: Option<Json>,
    /// The websocket client that gets the progress of this prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Handed to the nodes and kept in the history.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = crate::workflow::ExtraData)]
    pub extra_data: Map<String, Json>,
    /// The place in the queue: lower numbers run first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub number: Option<Number>,
    /// Whether to run before everything that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front: Option<bool>,
    /// An id chosen by the client; the server makes one when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
    /// Output nodes to run; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial_execution_targets: Option<Vec<String>>,
}

/// One node of a prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptNode {
    /// The node class.
    pub class_type: String,
    /// Values by input name: a scalar, or `[node id, output slot]` for a link. A list that is no link is wrapped as `{"__value__": […]}`.
    #[schema(value_type = std::collections::BTreeMap<String, InputValue>)]
    pub inputs: Map<String, Json>,
    /// What the graph editor noted.
    #[serde(rename = "_meta", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub meta: Option<PromptNodeMeta>,
    /// The fingerprint that the node had when it ran; given back, it replaces a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<crate::document::Fingerprint>, nullable = false)]
    pub is_changed: Option<Json>,
}

/// A note of the graph editor about a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptNodeMeta {
    /// The title a person gave the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub title: Option<String>,
}

/// The value of an input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InputValue {
    /// A widget value.
    Boolean(bool),
    /// A widget value.
    Number(f64),
    /// A widget value.
    Text(String),
    /// `[node id, output slot]`.
    Link(String, i64),
}

/// The body of a 200 answer to `POST /prompt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptAccepted {
    /// The id under which the history keeps the result.
    pub prompt_id: String,
    /// The place in the queue.
    #[schema(value_type = f64)]
    pub number: Number,
    /// Complaints about output nodes that were left out because they cannot run.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, NodeProblems>)]
    pub node_errors: NodeErrors,
}

/// Nodes by id, for clients that build prompts with these types.
pub type Prompt = IndexMap<String, PromptNode>;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn requests_survive_a_round_trip() {
        let request = json!({
            "prompt": {
                "1": {"class_type": "A", "inputs": {"x": 1.5}, "_meta": {"title": "First"}},
                "2": {"class_type": "B", "inputs": {"y": ["1", 0], "z": {"__value__": [1]}}, "is_changed": ["a"]},
            },
            "client_id": "c",
            "extra_data": {"extra_pnginfo": {"workflow": {"nodes": []}}},
            "number": 3,
            "front": true,
            "prompt_id": "p",
            "partial_execution_targets": ["2"],
        });
        let read: PromptRequest = serde_json::from_value(request.clone()).expect("a request");
        assert_eq!(serde_json::to_value(&read).expect("JSON"), request);
        let nodes: Prompt = serde_json::from_value(read.prompt).expect("nodes");
        assert_eq!(
            serde_json::to_value(nodes).expect("JSON"),
            request["prompt"]
        );
    }

    #[test]
    fn all_but_the_prompt_may_be_missing() {
        let read: PromptRequest = serde_json::from_value(json!({"prompt": {}})).expect("a request");
        assert_eq!(
            serde_json::to_value(read).expect("JSON"),
            json!({"prompt": {}})
        );
    }

    #[test]
    fn input_values_are_told_apart() {
        for (json, value) in [
            (json!(true), InputValue::Boolean(true)),
            (json!(1.5), InputValue::Number(1.5)),
            (json!("1"), InputValue::Text("1".into())),
            (json!(["1", 2]), InputValue::Link("1".into(), 2)),
        ] {
            let read: InputValue = serde_json::from_value(json).expect("a value");
            assert_eq!(read, value);
        }
    }
}
