//! All instances of subgraphs, and all nodes in the order in which a prompt lists them.

use super::WorkflowError;
use super::document::{Document, Mode};
use std::collections::HashMap;

/// How deep subgraphs may lie in each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Nodes when every instance of a subgraph counts.
const MAX_NODES: usize = 100_000;
/// Since this version the front end leaves the nodes inside of a muted or bypassed subgraph as they are and skips them when it
/// queues. Before, it muted or bypassed each of them.
const HIDES_INSIDE: (u32, u32) = (1, 28);

/// A graph in its place.
#[derive(Debug)]
pub(super) struct Scope {
    /// Which graph of the document it is.
    pub(super) graph: usize,
    /// The scope and the id of the node that it is the inside of.
    pub(super) parent: Option<(usize, String)>,
    /// What stands before the ids of its nodes.
    pub(super) prefix: String,
    /// Whether it lies in a muted or bypassed node.
    pub(super) hidden: bool,
    depth: usize,
}

/// All scopes of a document.
#[derive(Debug)]
pub(super) struct Scopes {
    all: Vec<Scope>,
    inside: HashMap<(usize, String), usize>,
    /// Each node with its scope, in the order of the prompt.
    pub(super) nodes: Vec<(usize, String)>,
}

impl Scopes {
    pub(super) fn new(document: &Document) -> Result<Self, WorkflowError> {
        let mut found = Self {
            all: Vec::new(),
            inside: HashMap::new(),
            nodes: Vec::new(),
        };
        // Nodes to look at, the next one last.
        let mut pending = found.open(
            document,
            Scope {
                graph: 0,
                parent: None,
                prefix: String::new(),
                hidden: false,
                depth: 0,
            },
        );
        while let Some((scope, id)) = pending.pop() {
            if found.nodes.len() >= MAX_NODES {
                return Err(WorkflowError::TooMany {
                    place: "the workflow".to_owned(),
                    what: "nodes, counted in every use of a subgraph",
                    limit: MAX_NODES,
                });
            }
            found.nodes.push((scope, id.clone()));
            let node = &document.graphs[found.all[scope].graph].nodes[&id];
            let Some(graph) = document.subgraph_of(node) else {
                continue;
            };
            // It looks at the outermost nodes only.
            let skips = document.graphs[graph].is_group
                || (found.all[scope].parent.is_none()
                    && document
                        .saved_by
                        .is_some_and(|version| version >= HIDES_INSIDE));
            let inner = found.enter(document, scope, id, graph)?;
            let hidden = inner.hidden || (skips && node.mode != Mode::Active);
            pending.extend(found.open(document, Scope { hidden, ..inner }));
        }
        Ok(found)
    }

    /// The scope.
    pub(super) fn get(&self, scope: usize) -> &Scope {
        &self.all[scope]
    }

    /// The scope inside of a node.
    pub(super) fn inside(&self, scope: usize, node: &str) -> Option<usize> {
        self.inside.get(&(scope, node.to_owned())).copied()
    }

    fn enter(
        &self,
        document: &Document,
        outer: usize,
        id: String,
        graph: usize,
    ) -> Result<Scope, WorkflowError> {
        let scope = &self.all[outer];
        let full_id = format!("{}{id}", scope.prefix);
        if scope.depth >= MAX_DEPTH {
            return Err(WorkflowError::TooMany {
                place: format!("node {full_id}"),
                what: "subgraphs inside each other",
                limit: MAX_DEPTH,
            });
        }
        let mut around = Some(scope);
        while let Some(scope) = around {
            if scope.graph == graph {
                return Err(WorkflowError::Recursion {
                    node: full_id,
                    name: document.graphs[graph].name.clone(),
                });
            }
            around = scope.parent.as_ref().map(|(outer, _)| &self.all[*outer]);
        }
        Ok(Scope {
            graph,
            parent: Some((outer, id)),
            prefix: format!("{full_id}:"),
            hidden: scope.hidden,
            depth: scope.depth + 1,
        })
    }

    /// Adds a scope; its nodes come back in reverse order.
    fn open(&mut self, document: &Document, scope: Scope) -> Vec<(usize, String)> {
        let index = self.all.len();
        let graph = &document.graphs[scope.graph];
        let mut nodes: Vec<_> = graph.nodes.iter().collect();
        match &scope.parent {
            Some(parent) => {
                self.inside.insert(parent.clone(), index);
            }
            // The file tells the order of the outermost nodes only.
            None => nodes.sort_by_key(|(_, node)| node.order),
        }
        self.all.push(scope);
        let nodes = nodes.into_iter().rev();
        nodes.map(|(id, _)| (index, id.clone())).collect()
    }
}
