//! `GET /object_info`: what clients learn about node classes.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

/// All node classes by class name.
pub type ObjectInfo = IndexMap<String, NodeInfo>;

/// One node class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeInfo {
    /// Inputs by section.
    pub input: InputSections,
    /// Names of the inputs of each section in the order of their declaration.
    #[schema(value_type = std::collections::BTreeMap<String, Vec<String>>)]
    pub input_order: IndexMap<String, Vec<String>>,
    /// The type of each output: a name, or the list of choices of a combo.
    #[schema(value_type = Vec<String>)]
    pub output: Vec<Json>,
    /// Whether the output at the same place is a list.
    pub output_is_list: Vec<bool>,
    /// The label of each output.
    pub output_name: Vec<String>,
    /// The class name used in prompts.
    pub name: String,
    /// The name shown to people; null falls back to `name`.
    pub display_name: Option<String>,
    /// What the node does.
    #[serde(default)]
    pub description: String,
    /// The module that declares the node; its first part tells the front end the origin of the node.
    pub python_module: String,
    /// The menu path.
    pub category: String,
    /// Whether running the node is a goal in itself.
    pub output_node: bool,
    /// Help texts of the outputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tooltips: Option<Vec<Option<String>>>,
    /// Whether newer workflows should use another node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<bool>,
    /// Whether the node may still change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experimental: Option<bool>,
    /// Whether the node calls a paid service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_node: Option<bool>,
}

/// The inputs of a node class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = NodeInputs)]
pub struct InputSections {
    /// Inputs that a prompt must give: `[type]` or `[type, settings]` by name, where the type of a combo is its list of choices.
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, crate::document::InputDeclaration>, required = true)]
    pub required: IndexMap<String, Json>,
    /// Inputs that a prompt may leave out.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, crate::document::InputDeclaration>)]
    pub optional: IndexMap<String, Json>,
    /// Inputs that the server fills in, such as `"prompt": "PROMPT"`, or `"prompt": ["PROMPT"]` in classes of the third node API.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    #[schema(value_type = std::collections::BTreeMap<String, crate::document::HiddenDeclaration>)]
    pub hidden: IndexMap<String, Json>,
}
