//! What a node adds to the graph instead of returning outputs.

use crate::graph::DuplicateNode;
use crate::{Expand, Json, NodeError, NodeOutput, PromptInput, PromptNode};
use indexmap::IndexMap;
use serde_json::{Map, json};
use std::marker::PhantomData;

/// A graph that a node builds while it runs; see [`NodeContext::subgraph`](crate::NodeContext::subgraph).
///
/// Ids begin with the id of the node and the number of the call, so that the same call builds the same ids again.
#[derive(Debug, Clone, Default)]
pub struct Subgraph {
    prefix: String,
    /// How many nodes got a number instead of a name.
    numbered: usize,
    nodes: IndexMap<String, (PromptNode, Option<String>)>,
    duplicate: Option<DuplicateNode>,
}

/// A node of a [`Subgraph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubgraphNode {
    id: String,
}

impl SubgraphNode {
    /// Its id in the graph, prefix included.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// One of its outputs.
    pub fn out(&self, slot: i64) -> NodeOutput {
        NodeOutput {
            node: self.id.clone(),
            slot,
        }
    }
}

impl Subgraph {
    /// An empty graph whose ids begin with `prefix`.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
            ..Self::default()
        }
    }

    /// A node of a class; [`add`](NewNode::add) puts it into the graph.
    pub fn node(&mut self, class_type: impl Into<String>) -> NewNode<'_> {
        NewNode {
            node: PromptNode::new(class_type),
            id: None,
            display: None,
            graph: self,
        }
    }

    /// The node that was added with the id `id`, given without the prefix.
    pub fn find(&self, id: &str) -> Option<SubgraphNode> {
        let id = format!("{}{id}", self.prefix);
        self.nodes.contains_key(&id).then_some(SubgraphNode { id })
    }

    /// Changes the inputs of a node of this graph.
    pub fn edit(&mut self, node: &SubgraphNode) -> EditNode<'_> {
        EditNode {
            node: self.nodes.get_mut(&node.id).map(|(node, _)| node),
        }
    }

    /// What the node returns: for each of its outputs a link to an output of this graph, or a value.
    pub fn returns<O>(self, outputs: impl IntoIterator<Item = PromptInput>) -> Expand<O> {
        Expand::Graph {
            graph: self,
            outputs: outputs.into_iter().collect(),
            instead_of: PhantomData,
        }
    }

    /// The nodes with the ids with which clients show them, if not with that of the node that adds them.
    pub(crate) fn into_nodes(
        self,
    ) -> Result<IndexMap<String, (PromptNode, Option<String>)>, DuplicateNode> {
        match self.duplicate {
            Some(duplicate) => Err(duplicate),
            None => Ok(self.nodes),
        }
    }

    /// The graph as a prompt. Fails when an id was used twice, or an input is given a value that JSON cannot write.
    pub fn to_json(&self) -> Result<Json, NodeError> {
        if let Some(duplicate) = &self.duplicate {
            return Err(NodeError::value(duplicate));
        }
        let node = |(id, (node, _)): (&String, &(PromptNode, Option<String>))| {
            let inputs = node.inputs.iter().map(|(name, input)| {
                let json = input.to_json().ok_or_else(|| {
                    NodeError::value(format_args!(
                        "node {id}, input {name}: expected a link or a value that JSON can write"
                    ))
                })?;
                Ok((name.clone(), json))
            });
            let inputs: Map<String, Json> = inputs.collect::<Result<_, NodeError>>()?;
            let json = json!({"class_type": node.class_type, "inputs": inputs});
            Ok((id.clone(), json))
        };
        let nodes: Result<Map<String, Json>, NodeError> = self.nodes.iter().map(node).collect();
        nodes.map(Json::Object)
    }

    /// The classes of the nodes.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        self.nodes
            .values()
            .map(|(node, _)| node.class_type.as_str())
    }
}

/// A node that is about to be added to a [`Subgraph`].
#[derive(Debug)]
#[must_use = "the node is part of the graph when it is added"]
pub struct NewNode<'a> {
    graph: &'a mut Subgraph,
    node: PromptNode,
    id: Option<String>,
    display: Option<String>,
}

impl NewNode<'_> {
    /// Names the node instead of numbering it; the prefix of the graph stands before the name.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Lets clients show the node as the node `id`, and not as the one that adds it.
    pub fn display(mut self, id: impl Into<String>) -> Self {
        self.display = Some(id.into());
        self
    }

    /// Gives an input a link, a constant, or a value that the adding node has in hand.
    pub fn set(mut self, name: impl Into<String>, input: impl Into<PromptInput>) -> Self {
        self.node.inputs.insert(name.into(), input.into());
        self
    }

    /// As [`set`](Self::set), if there is something to give.
    pub fn set_if(self, name: impl Into<String>, input: Option<impl Into<PromptInput>>) -> Self {
        match input {
            Some(input) => self.set(name, input),
            None => self,
        }
    }

    /// Puts the node into the graph. An id that is taken makes the adding node fail.
    pub fn add(self) -> SubgraphNode {
        let Self {
            graph,
            node,
            id,
            display,
        } = self;
        let id = id.unwrap_or_else(|| {
            graph.numbered += 1;
            graph.numbered.to_string()
        });
        let id = format!("{}{id}", graph.prefix);
        if graph.nodes.insert(id.clone(), (node, display)).is_some() {
            graph
                .duplicate
                .get_or_insert(DuplicateNode { id: id.clone() });
        }
        SubgraphNode { id }
    }
}

/// A node of a [`Subgraph`] whose inputs are changed.
#[derive(Debug)]
pub struct EditNode<'a> {
    node: Option<&'a mut PromptNode>,
}

impl EditNode<'_> {
    /// Gives an input something else.
    pub fn set(&mut self, name: impl Into<String>, input: impl Into<PromptInput>) -> &mut Self {
        if let Some(node) = &mut self.node {
            node.inputs.insert(name.into(), input.into());
        }
        self
    }

    /// Gives an input something else, or nothing.
    pub fn set_if(
        &mut self,
        name: impl Into<String>,
        input: Option<impl Into<PromptInput>>,
    ) -> &mut Self {
        let name = name.into();
        match input {
            Some(input) => self.set(name, input),
            None => self.unset(&name),
        }
    }

    /// Gives an input nothing.
    pub fn unset(&mut self, name: &str) -> &mut Self {
        if let Some(node) = &mut self.node {
            node.inputs.shift_remove(name);
        }
        self
    }
}
