//! The bodies with which a prompt is refused.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

/// One complaint about a prompt or about one input of a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// What kind of complaint it is, such as `required_input_missing`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The complaint in words; the same for every complaint of its kind, but for values.
    pub message: String,
    /// What it is about, such as the name of an input.
    #[serde(default)]
    pub details: String,
    /// Members that depend on the kind, such as `input_name` and `received_value`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub extra_info: Map<String, Json>,
}

impl ErrorDetail {
    /// A complaint without further members.
    pub fn new(
        kind: impl Into<String>,
        message: impl Into<String>,
        details: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.into(),
            message: message.into(),
            details: details.into(),
            extra_info: Map::new(),
        }
    }
}

/// All complaints about one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeProblems {
    /// The complaints, at most one for each input.
    pub errors: Vec<ErrorDetail>,
    /// Output nodes that cannot run because of this node.
    pub dependent_outputs: Vec<String>,
    /// The class of the node.
    pub class_type: String,
}

/// Complaints by node id; nodes that are only downstream of a bad one are left out.
pub type NodeErrors = IndexMap<String, NodeProblems>;

/// The body of a 400 answer to `POST /prompt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PromptRefused {
    /// Why the prompt as a whole was refused.
    pub error: ErrorDetail,
    /// Complaints by node id.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, NodeProblems>)]
    pub node_errors: NodeErrors,
}
