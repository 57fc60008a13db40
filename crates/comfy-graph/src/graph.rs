//! The graph as it runs: the nodes of the client, and those that nodes have added to it.

use crate::{Prompt, PromptNode, Subgraph};
use indexmap::IndexMap;
use std::ops::Range;

/// The nodes of a prompt and those that nodes added while they ran (ephemeral nodes).
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: IndexMap<String, PromptNode>,
    /// How many nodes are the client's; they come first.
    given: usize,
    /// Where each of the others comes from.
    origins: Vec<Origin>,
}

/// Where an ephemeral node comes from.
#[derive(Debug, Clone)]
struct Origin {
    /// The node that added it.
    parent: usize,
    /// The client's node behind it.
    real: usize,
    /// The node with which clients show it.
    display: String,
}

/// A node was to be added under an id that is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a new id for each node of a subgraph, found another node {id}")]
pub struct DuplicateNode {
    /// The id.
    pub id: String,
}

impl Graph {
    /// The graph of a prompt before anything has run.
    pub fn new(prompt: Prompt) -> Self {
        Self {
            given: prompt.nodes.len(),
            nodes: prompt.nodes,
            origins: Vec::new(),
        }
    }

    /// The node called `id`.
    pub fn node(&self, id: &str) -> Option<&PromptNode> {
        self.nodes.get(id)
    }

    /// For the engine: the node called `id`, to note its fingerprint.
    pub fn node_mut(&mut self, id: &str) -> Option<&mut PromptNode> {
        self.nodes.get_mut(id)
    }

    /// Whether there is a node called `id`.
    pub fn contains(&self, id: &str) -> bool {
        self.nodes.contains_key(id)
    }

    /// All nodes: first the client's in the order of the prompt, then the others in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, &PromptNode)> {
        self.nodes.iter().map(|(id, node)| (id.as_str(), node))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many nodes are the client's.
    pub fn given(&self) -> usize {
        self.given
    }

    /// The place of a node in the order of [`nodes`](Self::nodes); it never changes.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.nodes.get_index_of(id)
    }

    /// The node at a place.
    pub fn at(&self, position: usize) -> Option<(&str, &PromptNode)> {
        let (id, node) = self.nodes.get_index(position)?;
        Some((id, node))
    }

    fn origin(&self, id: &str) -> Option<&Origin> {
        self.origins
            .get(self.position(id)?.checked_sub(self.given)?)
    }

    fn id_at(&self, position: usize) -> Option<&str> {
        self.at(position).map(|(id, _)| id)
    }

    /// The node that added this one; `None` for a node of the client.
    pub fn parent_id(&self, id: &str) -> Option<&str> {
        self.id_at(self.origin(id)?.parent)
    }

    /// The node of the client to which this one belongs: the one that was expanded, and maybe expanded again.
    pub fn real_id<'a>(&'a self, id: &'a str) -> &'a str {
        let real = self.origin(id).and_then(|origin| self.id_at(origin.real));
        real.unwrap_or(id)
    }

    /// The node with which clients show this one: the one that added it, unless that said otherwise.
    pub fn display_id<'a>(&'a self, id: &'a str) -> &'a str {
        self.origin(id).map_or(id, |origin| origin.display.as_str())
    }

    /// For the engine: adds what the node `parent` computes instead of returning outputs. Returns the places of the new nodes.
    ///
    /// `before` is how many nodes there were when the parent began to run. A node whose result was freed may run again, and then what it
    /// added the first time is replaced.
    pub fn expand(
        &mut self,
        parent: &str,
        subgraph: Subgraph,
        before: usize,
    ) -> Result<Range<usize>, DuplicateNode> {
        let start = self.nodes.len();
        let mut nodes = subgraph.into_nodes()?;
        let Some(parent_position) = self.position(parent) else {
            return Ok(start..start);
        };
        let is_of_an_earlier_run = |id: &str| {
            let is_old = self.position(id).is_some_and(|position| position < before);
            let origin = self.origin(id);
            is_old && origin.is_some_and(|origin| origin.parent == parent_position)
        };
        let taken = |id: &&String| self.contains(id) && !is_of_an_earlier_run(id);
        if let Some(id) = nodes.keys().find(taken) {
            return Err(DuplicateNode { id: id.clone() });
        }
        nodes.retain(|id, (node, _)| match self.nodes.get_mut(id) {
            Some(old) => {
                *old = std::mem::take(node);
                false
            }
            None => true,
        });
        let real = match self.origin(parent) {
            Some(origin) => origin.real,
            None => parent_position,
        };
        for (id, (node, display)) in nodes {
            self.origins.push(Origin {
                parent: parent_position,
                real,
                display: display.unwrap_or_else(|| parent.to_owned()),
            });
            self.nodes.insert(id, node);
        }
        // A node may be shown with one that is itself shown with another.
        for position in start..self.nodes.len() {
            let display = self.resolve_display(position - self.given);
            self.origins[position - self.given].display = display;
        }
        Ok(start..self.nodes.len())
    }

    fn resolve_display(&self, origin: usize) -> String {
        let mut display = &self.origins[origin].display;
        // Nodes that are shown with each other would lead in circles.
        for _ in 0..self.origins.len() {
            match self.origin(display) {
                Some(next) if next.display != *display => display = &next.display,
                _ => break,
            }
        }
        display.clone()
    }
}

#[cfg(test)]
mod tests;
