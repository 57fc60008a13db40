//! Takes one node as far as it gets.

use std::sync::Arc;

use comfy_graph::{Blocker, Host, Json, Returned};

use super::arguments::{Arguments, HiddenValues, Prepared};
use super::call::{Called, Caller, Calling, FinishCall};
use super::closing::LastNode;
use super::expansion::Part;
use super::host::NodeHost;
use super::lists::{join_outputs, join_shown};
use super::outcome::Stop;
use super::{Run, tasks};
use crate::caches::NodeResult;
use crate::failure::{Failure, NodeFailure};
use crate::names::NodeNames;

/// A node that has begun and waits for something.
pub(super) enum Suspended {
    /// For its calls, which go on beside other nodes.
    Calls(tasks::Calls),
    /// For the nodes that compute its outputs.
    Expanded {
        parts: Vec<Part>,
        shown: Option<Json>,
    },
}

impl Run<'_> {
    /// Runs a node, or goes on with it, or finds its result.
    pub(super) fn visit(&mut self, node: usize) -> Result<(), Stop> {
        let names = Arc::new(self.names(node));
        if self.class_of(node).template().output_node {
            // What it writes comes after what the prompt before writes.
            self.closer.settle(self.results);
        }
        match self.suspended.remove(&node) {
            Some(Suspended::Calls(calls)) => self.conclude(node, &names, calls.into_results()),
            Some(Suspended::Expanded { parts, shown }) => {
                let outputs = self.resolve(node, &parts);
                let outputs =
                    outputs.map_err(|failure| self.stop(node, Failure::Failed(failure)))?;
                self.release_sources(&parts);
                self.keep(node, &names, NodeResult { outputs, shown });
                Ok(())
            }
            None => match self.result_at(node).cloned() {
                Some(result) => {
                    self.reporter.node_shows(&names, result.shown.clone());
                    self.keep_shown(node, result.shown.as_ref());
                    self.done(node, &names);
                    Ok(())
                }
                None => self.begin(node, &names),
            },
        }
    }

    /// Gathers what a node needs and calls it.
    fn begin(&mut self, node: usize, names: &Arc<NodeNames>) -> Result<(), Stop> {
        self.reporter.node_staged(names);
        let mut arguments = self.gather(node)?;
        self.reporter.node_started(names);
        loop {
            match self.call(node, names, &arguments) {
                Ok(Begun::Needs(needs)) => {
                    let mut waits = false;
                    for (input, source) in needs {
                        self.asked.entry(node).or_default().insert(input);
                        waits |= self.result_at(source).is_none();
                        self.require(source, node);
                    }
                    if waits {
                        return Ok(());
                    }
                    arguments = self.gather(node)?;
                }
                Ok(Begun::Calls(calls)) if calls.is_complete() => {
                    return self
                        .conclude(node, names, calls.into_results())
                        .map_err(|stop| stop.with_inputs(&arguments));
                }
                Ok(Begun::Last(call)) => {
                    self.last = Some(LastNode {
                        node,
                        names: Arc::clone(names),
                        call,
                        arguments,
                        signature: self.signatures.get(node),
                    });
                    self.pending.complete(node);
                    return Ok(());
                }
                Ok(Begun::Calls(calls)) => {
                    self.pending.block(node);
                    self.suspended.insert(node, Suspended::Calls(calls));
                    return Ok(());
                }
                Err(failure) => return Err(self.stop(node, failure).with_inputs(&arguments)),
            }
        }
    }

    fn gather(&self, node: usize) -> Result<Arguments, Stop> {
        let (id, prompt_node) = self.graph.at(node).expect("the node is part of the graph");
        let hidden = HiddenValues {
            node_id: id,
            prompt: &self.prompt_json,
            graph: &self.graph,
            extra_pnginfo: &self.extra_pnginfo,
            extra_data: &self.job.extra_data,
        };
        let asked = self.asked.get(&node);
        Arguments::gather(
            self.class_of(node),
            prompt_node,
            |id| self.result_of(id),
            |input| asked.is_some_and(|asked| asked.contains(input)),
            hidden,
        )
        .map_err(|failure| self.stop(node, Failure::Failed(failure)))
    }

    /// Calls a node for all its values, unless it asks for more inputs first.
    fn call(
        &mut self,
        node: usize,
        names: &Arc<NodeNames>,
        arguments: &Arguments,
    ) -> Result<Begun, Failure> {
        let registry = &self.shared.options.registry;
        let class = registry
            .get(self.class_of(node).id())
            .expect("the class of a node is registered");
        let host: Arc<dyn Host> = Arc::new(NodeHost {
            names: Arc::clone(names),
            class: class.id().to_owned(),
            owner: self.owner(node),
            reporter: Arc::clone(&self.reporter),
            signals: Arc::clone(self.signals),
            instances: Arc::clone(self.instances),
            extra_data: Arc::clone(&self.job.extra_data),
        });
        let caller = Caller {
            node_id: &names.id,
            class,
            prompt: &self.prompt_json,
            extra_pnginfo: &self.extra_pnginfo,
            services: &self.shared.options.services,
            host: &host,
        };
        if class.has_needs() {
            let needs = self.needed(node, &caller, arguments)?;
            if !needs.is_empty() {
                return Ok(Begun::Needs(needs));
            }
        }
        let mut calls = tasks::Calls::default();
        for index in 0..arguments.calls() {
            self.refuse_if_interrupted()?;
            match arguments.call(class, index).map_err(Failure::Failed)? {
                Prepared::Blocked(blocker) => {
                    let blocker = self.tell_of_blocker(names, class.id(), &blocker);
                    calls.done(caller.blocked(&blocker));
                }
                Prepared::Inputs(inputs) => match caller.call(inputs, index)? {
                    Calling::Done(called) => calls.done(called),
                    Calling::Finish(rest) if arguments.calls() == 1 && self.is_last(node) => {
                        return Ok(Begun::Last(rest));
                    }
                    Calling::Finish(rest) => calls.done(rest.finish()?),
                    Calling::Later(later) => {
                        let call = calls.later();
                        self.tasks.spawn(node, call, later);
                    }
                },
            }
        }
        Ok(Begun::Calls(calls))
    }

    /// Whether the prompt ends with this node of the client's.
    fn is_last(&self, node: usize) -> bool {
        self.pending.len() == 1 && self.owner(node).is_none()
    }

    fn refuse_if_interrupted(&self) -> Result<(), Failure> {
        if self.signals.interrupted() {
            return Err(Failure::Interrupted);
        }
        Ok(())
    }

    /// The lazy inputs that a node asks for and does not have, with the nodes behind them.
    fn needed(
        &self,
        node: usize,
        caller: &Caller<'_>,
        arguments: &Arguments,
    ) -> Result<Vec<(String, usize)>, Failure> {
        let mut asked: Vec<(String, usize)> = Vec::new();
        for index in 0..arguments.calls() {
            self.refuse_if_interrupted()?;
            let prepared = arguments
                .call(caller.class, index)
                .map_err(Failure::Failed)?;
            let Prepared::Inputs(inputs) = prepared else {
                continue;
            };
            for name in caller.needs(inputs)?.names() {
                if !arguments.has(name) && !asked.iter().any(|(known, _)| known == name) {
                    let source = self.source_of(node, name).map_err(Failure::Failed)?;
                    asked.push((name.to_owned(), source));
                }
            }
        }
        Ok(asked)
    }

    /// The node that is linked to an input.
    fn source_of(&self, node: usize, input: &str) -> Result<usize, NodeFailure> {
        let (id, prompt_node) = self.graph.at(node).expect("the node is part of the graph");
        let complaint = |what: &str| {
            let message = format!("Node {id} says it needs input {input}, but {what}");
            NodeFailure::new("graph.NodeInputError", message)
        };
        let given = prompt_node
            .inputs
            .get(input)
            .ok_or_else(|| complaint("there is no input to that node at all"))?;
        let link = given
            .link()
            .ok_or_else(|| complaint("that value is a constant"))?;
        self.graph
            .position(&link.node)
            .ok_or_else(|| complaint(&format!("node {} does not exist", link.node)))
    }

    /// Tells the client why a node does not run; nodes behind it are blocked without a word.
    fn tell_of_blocker(&self, names: &NodeNames, class: &str, blocker: &Blocker) -> Blocker {
        if let Some(message) = blocker.message() {
            let executed = self.executed.clone();
            self.reporter.node_blocked(names, class, message, executed);
        }
        Blocker::silent()
    }

    /// All calls of a node have ended: shows what they show, and keeps or computes what they give.
    fn conclude(
        &mut self,
        node: usize,
        names: &Arc<NodeNames>,
        calls: Vec<Called>,
    ) -> Result<(), Stop> {
        let (returned, shown): (Vec<_>, Vec<_>) = calls
            .into_iter()
            .map(|called| (called.returned, called.shown))
            .unzip();
        let shown = join_shown(shown);
        if let Some(shown) = &shown {
            self.reporter.node_shows(names, Some(shown.clone()));
        }
        self.keep_shown(node, shown.as_ref());
        let is_plain = |returned: &Returned| matches!(returned, Returned::Outputs(_));
        if returned.iter().all(is_plain) {
            let outputs = returned.into_iter().map(|returned| match returned {
                Returned::Outputs(outputs) => outputs,
                Returned::Expand(..) => Vec::new(),
            });
            let count = self.class_of(node).template().outputs.len();
            let outputs = join_outputs(count, outputs);
            self.keep(node, names, NodeResult { outputs, shown });
            return Ok(());
        }
        let parts = self
            .expand(node, returned)
            .map_err(|failure| self.stop(node, Failure::Failed(failure)))?;
        let suspended = Suspended::Expanded { parts, shown };
        self.suspended.insert(node, suspended);
        Ok(())
    }

    fn keep_shown(&mut self, node: usize, shown: Option<&Json>) {
        if let Some(shown) = shown {
            self.shown.insert(node, shown.clone());
        }
    }

    /// A node has run.
    fn keep(&mut self, node: usize, names: &Arc<NodeNames>, result: NodeResult) {
        if let Some(signature) = self.signatures.get(node) {
            let owner = self.owner(node);
            self.results.insert(signature, Arc::new(result), owner);
        }
        self.executed.push(names.id.to_string());
        self.done(node, names);
    }
}

/// How a node has begun.
enum Begun {
    /// It asks for these inputs first, which come from these nodes.
    Needs(Vec<(String, usize)>),
    /// It was called.
    Calls(tasks::Calls),
    /// It was called, and what is left of it ends the prompt.
    Last(FinishCall),
}
