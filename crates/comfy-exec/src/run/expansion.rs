//! Nodes that add others to the graph, which compute their outputs.

use std::sync::Arc;

use comfy_graph::{Item, Json, Output, OutputSpec, PromptInput, Returned, Socket, Value};

use super::lists::join_outputs;
use super::{Run, fingerprints};
use crate::failure::NodeFailure;

/// What one call of such a node returned.
pub(super) enum Part {
    /// Outputs.
    Outputs(Vec<Output>),
    /// Where each output will come from.
    Sources(Vec<PromptInput>),
}

impl Run<'_> {
    /// Adds the nodes that the calls of a node returned to the graph, and lets it wait for those it takes its outputs from.
    pub(super) fn expand(
        &mut self,
        node: usize,
        returned: Vec<Returned>,
    ) -> Result<Vec<Part>, NodeFailure> {
        let first = self.graph.len();
        let id = self.names(node).id;
        let mut parts = Vec::new();
        for returned in returned {
            match returned {
                Returned::Outputs(outputs) => parts.push(Part::Outputs(outputs)),
                Returned::Expand(subgraph, sources) => {
                    let registry = &self.shared.options.registry;
                    let mut classes = subgraph.classes();
                    if let Some(class) = classes.find(|class| registry.get(class).is_none()) {
                        let message = format!("'{class}'");
                        return Err(NodeFailure::new("KeyError", message));
                    }
                    drop(classes);
                    let graph = Arc::make_mut(&mut self.graph);
                    graph.expand(&id, subgraph, first).map_err(|duplicate| {
                        NodeFailure::new("DuplicateNodeError", duplicate.to_string())
                    })?;
                    parts.push(Part::Sources(sources));
                }
            }
        }
        self.know(first);
        for added in first..self.graph.len() {
            if self.class_of(added).is_output_node() {
                self.add(added);
            }
        }
        for source in self.sources(&parts)? {
            self.hold(source);
            self.require(source, node);
        }
        Ok(parts)
    }

    /// Finds the fingerprints and signatures of the nodes from `first` on, which have been added.
    fn know(&mut self, first: usize) {
        let options = &self.shared.options;
        for added in first..self.graph.len() {
            let (_, prompt_node) = self.graph.at(added).expect("it has been added");
            let class = options.registry.get(&prompt_node.class_type);
            // A graph that a node holds on to is copied when it changes.
            if class.is_some_and(comfy_graph::NodeClass::has_fingerprint) {
                fingerprints::add_to(options, Arc::make_mut(&mut self.graph), added);
            }
        }
        self.signatures.extend(&self.graph, &options.registry);
        let owner = self
            .owner(self.graph.len() - 1)
            .filter(|_| first < self.graph.len());
        if let Some(owner) = owner {
            self.results.expand(owner);
        }
        let signatures: Vec<_> = (first..self.graph.len())
            .filter_map(|added| self.signatures.get(added))
            .collect();
        self.results.touch(signatures.iter());
    }

    /// The nodes from which outputs will come.
    fn sources(&self, parts: &[Part]) -> Result<Vec<usize>, NodeFailure> {
        let mut sources = Vec::new();
        for part in parts {
            let Part::Sources(inputs) = part else {
                continue;
            };
            for link in inputs.iter().filter_map(PromptInput::link) {
                let source = self.graph.position(&link.node).ok_or_else(|| {
                    let message = format!("Node {} not found", link.node);
                    NodeFailure::new("graph.NodeNotFoundError", message)
                })?;
                sources.push(source);
            }
        }
        Ok(sources)
    }

    /// Gives up the results that [`expand`](Self::expand) has held.
    pub(super) fn release_sources(&mut self, parts: &[Part]) {
        for source in self.sources(parts).unwrap_or_default() {
            self.release(source);
        }
    }

    /// The outputs of a node whose added nodes have run. A source that is a list becomes part of the output's list.
    pub(super) fn resolve(
        &self,
        node: usize,
        parts: &[Part],
    ) -> Result<Vec<Vec<Item>>, NodeFailure> {
        let specs = &self.class_of(node).template().outputs;
        let mut calls = Vec::new();
        for part in parts {
            calls.push(match part {
                Part::Outputs(outputs) => outputs.clone(),
                Part::Sources(sources) => specs
                    .iter()
                    .zip(sources)
                    .map(|(spec, source)| self.output_from(spec, source))
                    .collect::<Result<_, _>>()?,
            });
        }
        Ok(join_outputs(specs.len(), calls))
    }

    fn output_from(&self, spec: &OutputSpec, source: &PromptInput) -> Result<Output, NodeFailure> {
        let value =
            |json: &Json| Ok(<Value as Socket>::from_json(json).unwrap_or_else(Value::null));
        Ok(match source {
            PromptInput::Value(value) => Output::One(Ok(value.clone())),
            PromptInput::Constant(Json::Array(items)) if spec.is_list => {
                Output::Many(items.iter().map(value).collect())
            }
            PromptInput::Constant(json) => Output::One(value(json)),
            PromptInput::Link(link) => {
                let result = self.result_of(&link.node).ok_or_else(|| {
                    let message = format!("node {} has no result yet", link.node);
                    NodeFailure::new("RuntimeError", message)
                })?;
                let count = result.outputs.len();
                let slot = link
                    .index(count)
                    .and_then(|index| result.outputs.get(index));
                Output::Many(slot.cloned().ok_or_else(|| {
                    let message = format!(
                        "expected one of the {count} outputs of node {}, found output {}",
                        link.node, link.slot
                    );
                    NodeFailure::new("IndexError", message)
                })?)
            }
        })
    }
}
