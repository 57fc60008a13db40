//! `/global_subgraphs`: subgraphs that can be put into any workflow.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A subgraph on the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subgraph {
    /// Where it comes from.
    pub source: SubgraphSource,
    /// Its name.
    pub name: String,
    /// More about where it comes from.
    pub info: SubgraphInfo,
    /// The saved workflow that holds it, as JSON text; absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub data: Option<String>,
}

/// Where a subgraph comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubgraphSource {
    /// A package of nodes.
    CustomNode,
    /// The server's own blueprints.
    Templates,
}

/// More about where a subgraph comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubgraphInfo {
    /// The package: `comfyui`, or `custom_nodes.` and the name of its folder.
    pub node_pack: String,
}
