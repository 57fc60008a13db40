//! How a prompt ends, and what the history gets of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use comfy_api::events::{ExecutionError, ExecutionInterrupted, ExecutionSuccess, TextEvent};
use comfy_api::history::{ExecutionStatus, HistoryEntry, NodeMeta, StatusText};
use comfy_api::queue::FreeRequest;
use comfy_graph::order::DependencyCycle;
use comfy_graph::{Graph, Json};
use indexmap::IndexMap;
use serde_json::Map;

use super::Run;
use super::arguments::Arguments;
use crate::failure::{Failure, NodeFailure};
use crate::names::NodeNames;
use crate::pending::Job;
use crate::reporter::{Reporter, now};
use crate::shared::{Finished, Shared};

/// Why a prompt ended early.
pub(super) struct Stop {
    names: NodeNames,
    failure: Failure,
    /// The inputs of the node, for clients.
    inputs: Map<String, Json>,
}

impl Stop {
    pub(super) fn at(names: NodeNames, failure: Failure) -> Self {
        Self {
            names,
            failure,
            inputs: Map::new(),
        }
    }

    /// Also tells what the node was given. An interrupted node is not to blame, so nobody looks at its inputs.
    pub(super) fn with_inputs(self, arguments: &Arguments) -> Self {
        match self.failure {
            Failure::Interrupted => self,
            Failure::Failed(_) => Self {
                inputs: arguments.describe(),
                ..self
            },
        }
    }
}

/// A prompt of which all nodes have run, or as many as will.
pub(super) struct Ending {
    pub(super) shared: Arc<Shared>,
    job: Arc<Job>,
    graph: Arc<Graph>,
    reporter: Arc<Reporter>,
    /// Nodes that ran in this prompt, in order.
    executed: Vec<String>,
    /// What nodes show, also those with results of earlier prompts, by their places in the graph.
    shown: BTreeMap<usize, Json>,
}

impl Run<'_> {
    /// Nodes wait for each other. Validation refuses such prompts, so that a node must have added one of them: it is blamed.
    pub(super) fn going_round(&self, cycle: &DependencyCycle) -> Stop {
        let is_added = |id: &&String| self.graph.parent_id(id).is_some();
        let blamed = cycle.nodes.iter().find(is_added).or(cycle.nodes.first());
        let blamed = blamed.map_or("", String::as_str);
        let failure = NodeFailure::new("graph.DependencyCycleError", cycle.to_string());
        Stop::at(NodeNames::of(&self.graph, blamed), Failure::Failed(failure))
    }

    /// No more nodes run here.
    pub(super) fn end(mut self, completed: bool) -> Ending {
        let mut shown = BTreeMap::new();
        for node in 0..self.graph.len() {
            let own = self.shown.remove(&node);
            if let Some(json) = own.or_else(|| self.result_at(node)?.shown.clone()) {
                shown.insert(node, json);
            }
        }
        self.results.end(completed);
        Ending {
            shared: Arc::clone(self.shared),
            job: Arc::clone(self.job),
            graph: self.graph,
            reporter: self.reporter,
            executed: self.executed,
            shown,
        }
    }
}

impl Ending {
    /// One more node has run.
    pub(super) fn show(&mut self, node: usize, names: &Arc<NodeNames>, shown: Option<Json>) {
        if let Some(shown) = shown {
            self.reporter.node_shows(names, Some(shown.clone()));
            self.shown.insert(node, shown);
        }
        self.executed.push(names.id.to_string());
        self.reporter.node_finished(names);
    }

    /// Ends the prompt.
    pub(super) fn finish(mut self, outcome: Result<(), Stop>) -> Finished {
        let completed = outcome.is_ok();
        let last_event = match outcome {
            Ok(()) => TextEvent::ExecutionSuccess(ExecutionSuccess {
                prompt_id: self.job.row.prompt_id.clone(),
                timestamp: now(),
            }),
            Err(stop) => self.stopped(stop),
        };
        let (outputs, meta) = self.outputs();
        Finished {
            client_id: self.job.client_id.clone(),
            last_audience: self.reporter.audience_of(&last_event),
            entry: HistoryEntry {
                prompt: self.job.row.clone(),
                outputs,
                status: ExecutionStatus {
                    status_str: if completed {
                        StatusText::Success
                    } else {
                        StatusText::Error
                    },
                    completed,
                    messages: self.reporter.take_messages(&last_event),
                },
                meta,
            },
            last_event,
        }
    }

    /// The event that tells why the prompt ended early. Clients hear of the node that they know.
    fn stopped(&mut self, stop: Stop) -> TextEvent {
        let Stop {
            names,
            failure,
            inputs,
        } = stop;
        let class = |id: &str| {
            let node = self.graph.node(id);
            node.map_or("", |node| node.class_type.as_str()).to_owned()
        };
        let prompt_id = self.job.row.prompt_id.clone();
        let node_id = names.real.to_string();
        let node_type = class(&names.real);
        let executed = std::mem::take(&mut self.executed);
        let timestamp = now();
        match failure {
            Failure::Interrupted => {
                tracing::info!(prompt = %prompt_id, node = %names.id, "interrupted");
                TextEvent::ExecutionInterrupted(ExecutionInterrupted {
                    prompt_id,
                    node_id,
                    node_type,
                    executed,
                    timestamp,
                })
            }
            Failure::Failed(failure) => {
                let own_class = class(&names.id);
                tracing::error!(prompt = %prompt_id, node = %names.id, class = %own_class, kind = %failure.kind, "{}", failure.message);
                if failure.out_of_memory {
                    self.shared.free_models(FreeRequest {
                        unload_models: true,
                        free_memory: false,
                    });
                }
                let registry = &self.shared.options.registry;
                let owner = registry.get(&own_class).map_or("", |class| class.owner());
                TextEvent::ExecutionError(ExecutionError {
                    exception_message: failure.exception_message(),
                    traceback: failure.traceback(&names.id, &own_class, owner),
                    exception_type: failure.kind,
                    prompt_id,
                    node_id,
                    node_type,
                    executed,
                    current_inputs: inputs,
                    current_outputs: self.given().map(str::to_owned).collect(),
                    timestamp,
                })
            }
        }
    }

    /// The ids of the client's nodes.
    fn given(&self) -> impl Iterator<Item = &str> {
        let nodes = self.graph.nodes().take(self.graph.given());
        nodes.map(|(id, _)| id)
    }

    /// What the nodes show, in the order of the graph.
    fn outputs(&mut self) -> (IndexMap<String, Json>, IndexMap<String, NodeMeta>) {
        let mut outputs = IndexMap::new();
        let mut meta = IndexMap::new();
        for (node, shown) in std::mem::take(&mut self.shown) {
            let id = self.graph.at(node).map_or("", |(id, _)| id);
            let names = NodeNames::of(&self.graph, id);
            let id = names.id.to_string();
            outputs.insert(id.clone(), shown);
            let names = NodeMeta {
                node_id: id.clone(),
                display_node: names.display.to_string(),
                parent_node: names.parent.map(|parent| parent.to_string()),
                real_node_id: names.real.to_string(),
            };
            meta.insert(id, names);
        }
        (outputs, meta)
    }
}
