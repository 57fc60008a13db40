//! By which names clients know a node.

use std::sync::Arc;

use comfy_graph::Graph;

/// A node and the nodes that clients connect with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeNames {
    /// Its id.
    pub(crate) id: Arc<str>,
    /// The node with which it is shown.
    pub(crate) display: Arc<str>,
    /// The node that added it.
    pub(crate) parent: Option<Arc<str>>,
    /// The node of the client that it belongs to.
    pub(crate) real: Arc<str>,
}

impl NodeNames {
    pub(crate) fn of(graph: &Graph, id: &str) -> Self {
        let own: Arc<str> = id.into();
        let name = |name: &str| {
            if name == id {
                Arc::clone(&own)
            } else {
                name.into()
            }
        };
        Self {
            display: name(graph.display_id(id)),
            parent: graph.parent_id(id).map(name),
            real: name(graph.real_id(id)),
            id: Arc::clone(&own),
        }
    }
}
