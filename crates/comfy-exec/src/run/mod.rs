//! Runs one prompt from beginning to end.
//!
//! [`Run::all`] takes node after node from the pending graph. A node that is [begun](node) gathers its [arguments], asks for
//! its lazy inputs, and is [called](call) once for each value of its [lists]. It is done then, or it is put aside: until its
//! [tasks] end if it goes on beside others, or until the nodes of its [expansion] have run. The last node may finish while the
//! prompt is [closing] and the next one runs.

mod arguments;
mod call;
mod closing;
mod expansion;
mod fingerprints;
mod host;
mod lists;
mod node;
mod outcome;
mod tasks;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use comfy_graph::order::{Next, PendingGraph};
use comfy_graph::signature::Signatures;
use comfy_graph::{Graph, Json, NodeClass, Prompt};
use parking_lot::Mutex;

use crate::caches::{InstanceCache, NodeResult, Owner, ResultCache};
use crate::failure::Failure;
use crate::names::NodeNames;
use crate::pending::Job;
use crate::progress::ProgressBook;
use crate::reporter::Reporter;
use crate::shared::{Finished, Shared};
use crate::signals::Signals;
use crate::voice::Voice;
use closing::LastNode;
use node::Suspended;
use outcome::Stop;
use tasks::Tasks;

pub(crate) use closing::{Closer, Closing};
pub(crate) use tasks::{Completion, Runtime};

/// What lives from prompt to prompt.
pub(crate) struct Memory {
    pub(crate) results: ResultCache<comfy_graph::signature::Signature>,
    pub(crate) instances: Arc<Mutex<InstanceCache>>,
    pub(crate) runtime: Runtime,
    pub(crate) closer: Closer,
}

/// How far a prompt came.
pub(crate) enum Ended {
    /// It has ended. Its last event is left to the caller, who publishes it when the history has the entry.
    Finished(Box<Finished>),
    /// Its last node has yet to finish.
    Closing(Box<Closing>),
}

/// Runs a prompt.
pub(crate) fn run(
    shared: &Arc<Shared>,
    memory: &mut Memory,
    job: &Arc<Job>,
    signals: &Arc<Signals>,
    progress: Arc<Mutex<ProgressBook>>,
    voice: Arc<Voice>,
) -> Ended {
    let reporter = Arc::new(Reporter::new(
        Arc::clone(shared),
        &job.row.prompt_id,
        job.client_id.as_deref(),
        progress,
        voice,
    ));
    reporter.prompt_started();

    let prompt = Prompt::from_json(&job.prompt).expect("validation accepted the prompt");
    let mut graph = Graph::new(prompt);
    let prompt_json = fingerprints::add(&shared.options, &mut graph, &job.prompt);
    let signatures = Signatures::of(&graph, &shared.options.registry);
    let Memory {
        results,
        instances,
        runtime,
        closer,
    } = memory;
    if closer.expects(signatures.iter()) {
        closer.settle(results);
    }
    results.begin(signatures.iter(), |owner| {
        let node = graph.node(&owner.node_id);
        node.is_some_and(|node| node.class_type == owner.class)
    });
    let nodes = graph.nodes();
    instances.lock().begin(
        shared.options.cache,
        nodes.map(|(id, node)| (id, node.class_type.as_str())),
    );
    let cached = graph.nodes().zip(signatures.iter());
    reporter.nodes_cached(
        cached
            .filter(|(_, signature)| results.get(signature).is_some())
            .map(|((id, _), _)| id.to_owned())
            .collect(),
    );

    let extra_pnginfo = job.extra_data.get("extra_pnginfo");
    let mut run = Run {
        shared,
        job,
        signals,
        pending: PendingGraph::new(&shared.options.registry),
        graph: Arc::new(graph),
        prompt_json,
        extra_pnginfo: Arc::new(extra_pnginfo.cloned().unwrap_or_default()),
        signatures,
        results,
        instances,
        closer,
        last: None,
        asked: HashMap::new(),
        suspended: HashMap::new(),
        tasks: Tasks::new(runtime, signals),
        executed: Vec::new(),
        shown: HashMap::new(),
        reporter,
    };
    let outcome = run.all();
    if let (Ok(()), Some(last)) = (&outcome, run.last.take()) {
        return Ended::Closing(Box::new(Closing {
            generation: run.results.generation(),
            signals: Arc::clone(signals),
            ending: run.end(true),
            last,
        }));
    }
    signals.close();
    let ending = run.end(outcome.is_ok());
    Ended::Finished(Box::new(ending.finish(outcome)))
}

/// One prompt on its way through the worker.
struct Run<'a> {
    shared: &'a Arc<Shared>,
    job: &'a Arc<Job>,
    signals: &'a Arc<Signals>,
    reporter: Arc<Reporter>,
    graph: Arc<Graph>,
    /// The prompt with fingerprints, as nodes see it.
    prompt_json: Arc<Json>,
    extra_pnginfo: Arc<Json>,
    signatures: Signatures,
    pending: PendingGraph<'a>,
    results: &'a mut ResultCache<comfy_graph::signature::Signature>,
    instances: &'a Arc<Mutex<InstanceCache>>,
    /// Where the prompt before may still be closing.
    closer: &'a mut Closer,
    /// The last node, if it has yet to finish.
    last: Option<LastNode>,
    /// The lazy inputs that nodes have asked for.
    asked: HashMap<usize, HashSet<String>>,
    /// Nodes that have begun and wait for something.
    suspended: HashMap<usize, Suspended>,
    tasks: Tasks<'a>,
    /// Nodes that ran in this prompt, in order.
    executed: Vec<String>,
    /// What nodes of this prompt show, also when their results have been freed.
    shown: HashMap<usize, Json>,
}

impl Run<'_> {
    /// Computes every output of the job.
    fn all(&mut self) -> Result<(), Stop> {
        for output in &self.job.row.outputs_to_execute {
            if let Some(node) = self.graph.position(output) {
                self.add(node);
            }
        }
        loop {
            self.collect()?;
            match self.pending.next(&self.graph) {
                Ok(Next::Run(node)) => self.visit(node)?,
                Ok(Next::Wait) => {
                    self.signals.wait();
                    if self.signals.interrupted() {
                        return Err(self.interrupted_while_waiting());
                    }
                }
                Ok(Next::Done) => return Ok(()),
                Err(cycle) => return Err(self.going_round(&cycle)),
            }
        }
    }

    /// Adds a node to those that have to run, with what it needs.
    fn add(&mut self, node: usize) {
        let (results, signatures) = (&*self.results, &self.signatures);
        let is_cached = |node| is_cached(results, signatures, node);
        let added = self.pending.add(&self.graph, node, is_cached);
        self.hold_all(&added);
    }

    /// Lets a node wait for another one.
    fn require(&mut self, source: usize, node: usize) {
        let (results, signatures) = (&*self.results, &self.signatures);
        let is_cached = |node| is_cached(results, signatures, node);
        let added = self.pending.require(&self.graph, source, node, is_cached);
        self.hold_all(&added);
    }

    /// Counts nodes that were added, and keeps what they will use until they have run.
    fn hold_all(&mut self, nodes: &[usize]) {
        self.reporter.nodes_added(nodes.len());
        for &node in nodes {
            for touched in self.touched_by(node) {
                self.hold(touched);
            }
        }
    }

    fn hold(&mut self, node: usize) {
        if let Some(signature) = self.signatures.get(node) {
            self.results.hold(&signature);
        }
    }

    fn release(&mut self, node: usize) {
        if let Some(signature) = self.signatures.get(node) {
            self.results.release(&signature);
        }
    }

    /// A node and every node that it has a link to.
    fn touched_by(&self, node: usize) -> Vec<usize> {
        let links = self
            .graph
            .at(node)
            .into_iter()
            .flat_map(|(_, node)| node.links());
        let sources = links.filter_map(|(_, link)| self.graph.position(&link.node));
        std::iter::once(node).chain(sources).collect()
    }

    fn result_at(&self, node: usize) -> Option<&Arc<NodeResult>> {
        self.results.get(&self.signatures.get(node)?)
    }

    fn result_of(&self, id: &str) -> Option<&Arc<NodeResult>> {
        self.result_at(self.graph.position(id)?)
    }

    fn names(&self, node: usize) -> NodeNames {
        let id = self.graph.at(node).map_or("", |(id, _)| id);
        NodeNames::of(&self.graph, id)
    }

    fn class_of(&self, node: usize) -> &NodeClass {
        let (_, node) = self.graph.at(node).expect("the node is part of the graph");
        let class = self.shared.options.registry.get(&node.class_type);
        class.expect("validation or the expansion looked the class up")
    }

    /// The client's node behind one that was added while the prompt ran.
    fn owner(&self, node: usize) -> Option<Owner> {
        if node < self.graph.given() {
            return None;
        }
        let (id, _) = self.graph.at(node)?;
        let real = self.graph.real_id(id);
        Some(Owner {
            node_id: real.to_owned(),
            class: self.graph.node(real)?.class_type.clone(),
        })
    }

    /// A node has run, or its result was there.
    fn done(&mut self, node: usize, names: &Arc<NodeNames>) {
        self.reporter.node_finished(names);
        self.pending.complete(node);
        for touched in self.touched_by(node) {
            self.release(touched);
        }
    }

    /// Stops at a node.
    fn stop(&self, node: usize, failure: Failure) -> Stop {
        Stop::at(self.names(node), failure)
    }
}

fn is_cached(
    results: &ResultCache<comfy_graph::signature::Signature>,
    signatures: &Signatures,
    node: usize,
) -> bool {
    let signature = signatures.get(node);
    signature.is_some_and(|signature| results.get(&signature).is_some())
}
