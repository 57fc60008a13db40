//! In which order the nodes of a graph run.

use crate::{Graph, NodeRegistry, PromptNode};
use std::collections::{BTreeSet, HashSet};

/// Nodes that need each other, so that none of them can run first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Dependency cycle detected")]
pub struct DependencyCycle {
    /// Their ids; each needs the next, the last one the first.
    pub nodes: Vec<String>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Run the node at this place of the graph.
    Run(usize),
    /// Nothing can run before a [blocked](PendingGraph::block) node is released.
    Wait,
    /// Nothing is left.
    Done,
}

/// The nodes that still have to run, named by their places in a [`Graph`].
///
/// [`add`](Self::add) the output nodes, then take the [`next`](Self::next), run it, and [`complete`](Self::complete) it, until
/// there is none. A node that finds that it needs more is [linked](Self::require) to that and comes again later; one that goes
/// on beside others is [blocked](Self::block).
///
/// Of the nodes that are ready, output nodes and asynchronous ones come first, then those that an output node waits for, then
/// those two steps away from an output node, so that people soon see something; among equals the one that was added first.
///
/// All of it takes time in proportion to the links of the graph, times a logarithm.
#[derive(Debug)]
pub struct PendingGraph<'a> {
    registry: &'a NodeRegistry,
    /// By place in the graph.
    nodes: Vec<State>,
    links: HashSet<(usize, usize)>,
    /// Places in the graph in the order in which the nodes were added.
    added: Vec<usize>,
    left: usize,
    blocked: usize,
    /// Ready nodes by rank, then by the order in which they were added.
    ready: BTreeSet<(Rank, usize)>,
}

/// What is known of a node.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, each for its own rule"
)]
#[derive(Debug, Clone, Default)]
struct State {
    is_pending: bool,
    /// The index among the nodes that were added.
    turn: usize,
    /// How many nodes it waits for; itself, too, while it is blocked.
    waits_for: usize,
    /// The nodes it waits or waited for.
    sources: Vec<usize>,
    /// The nodes that wait for it.
    consumers: Vec<usize>,
    is_output: bool,
    is_async: bool,
    /// Whether an output node waits for it.
    feeds_output: bool,
    /// As what it stands among the ready nodes.
    rank: Option<Rank>,
}

/// How soon a ready node should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    OutputOrAsync,
    BeforeOutput,
    TwoBeforeOutput,
    Other,
}

impl<'a> PendingGraph<'a> {
    /// Nothing to run yet.
    pub fn new(registry: &'a NodeRegistry) -> Self {
        Self {
            registry,
            nodes: Vec::new(),
            links: HashSet::new(),
            added: Vec::new(),
            left: 0,
            blocked: 0,
            ready: BTreeSet::new(),
        }
    }

    /// Adds a node and what it needs, but for nodes whose result `is_cached`, and for lazy inputs. Returns the nodes that are
    /// new.
    ///
    /// The node itself is added even when its result is cached. Links to nodes that the graph does not have are left to
    /// the run of the node that has them.
    pub fn add(
        &mut self,
        graph: &Graph,
        node: usize,
        mut is_cached: impl FnMut(usize) -> bool,
    ) -> Vec<usize> {
        if self.nodes.len() < graph.len() {
            self.nodes.resize_with(graph.len(), State::default);
        }
        let mut open = vec![node];
        let mut links = Vec::new();
        let first = self.added.len();
        while let Some(node) = open.pop() {
            let Some((_, prompt_node)) = graph.at(node) else {
                continue;
            };
            if !self.insert(node, prompt_node) {
                continue;
            }
            for source in self.strong_links(graph, prompt_node) {
                if !is_cached(source) {
                    open.push(source);
                    links.push((source, node));
                }
            }
        }
        for (source, node) in links {
            self.link(source, node);
        }
        let added = self.added[first..].to_vec();
        for &node in &added {
            self.rank(node);
        }
        added
    }

    /// Lets a pending node wait for another one, which is added if it is not there, unless its result `is_cached`. Returns the
    /// nodes that are new.
    pub fn require(
        &mut self,
        graph: &Graph,
        source: usize,
        node: usize,
        mut is_cached: impl FnMut(usize) -> bool,
    ) -> Vec<usize> {
        if is_cached(source) {
            return Vec::new();
        }
        let added = self.add(graph, source, is_cached);
        self.link(source, node);
        self.rank(node);
        self.rank(source);
        added
    }

    /// The nodes that must run before the node.
    fn strong_links(&self, graph: &Graph, node: &PromptNode) -> Vec<usize> {
        let class = self.registry.get(&node.class_type);
        let is_weak = |name: &str| {
            let input = class.and_then(|class| class.template().input(name));
            input.is_some_and(crate::InputSpec::is_lazy)
        };
        node.links()
            .filter(|(name, _)| !is_weak(name))
            .filter_map(|(_, link)| graph.position(&link.node))
            .collect()
    }

    /// Makes a node pending; `false` when it was already.
    fn insert(&mut self, node: usize, prompt_node: &PromptNode) -> bool {
        let turn = self.added.len();
        let state = &mut self.nodes[node];
        if state.is_pending {
            return false;
        }
        let class = self.registry.get(&prompt_node.class_type);
        *state = State {
            is_pending: true,
            turn,
            is_output: class.is_some_and(crate::NodeClass::is_output_node),
            is_async: class.is_some_and(crate::NodeClass::is_async),
            ..State::default()
        };
        self.added.push(node);
        self.left += 1;
        true
    }

    fn link(&mut self, source: usize, node: usize) {
        if !self.nodes[source].is_pending || !self.links.insert((source, node)) {
            return;
        }
        self.nodes[node].waits_for += 1;
        self.nodes[node].sources.push(source);
        self.nodes[source].consumers.push(node);
        if self.nodes[node].is_output && !self.nodes[source].feeds_output {
            self.nodes[source].feeds_output = true;
            // What feeds the source is now two steps away from an output node.
            for before in self.nodes[source].sources.clone() {
                self.rank(before);
            }
        }
    }

    /// Puts a node into its place among the ready ones, or takes it out.
    fn rank(&mut self, node: usize) {
        let state = &self.nodes[node];
        let is_ready = state.is_pending && state.waits_for == 0;
        let rank = is_ready.then(|| self.rank_of(state));
        let state = &mut self.nodes[node];
        if state.rank == rank {
            return;
        }
        if let Some(old) = std::mem::replace(&mut state.rank, rank) {
            self.ready.remove(&(old, state.turn));
        }
        if let Some(new) = rank {
            self.ready.insert((new, state.turn));
        }
    }

    fn rank_of(&self, state: &State) -> Rank {
        let feeds_output = |&consumer: &usize| self.nodes[consumer].feeds_output;
        if state.is_output || state.is_async {
            Rank::OutputOrAsync
        } else if state.feeds_output {
            Rank::BeforeOutput
        } else if state.consumers.iter().any(feeds_output) {
            Rank::TwoBeforeOutput
        } else {
            Rank::Other
        }
    }

    /// How many nodes still have to run.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Whether the node still has to run.
    pub fn contains(&self, node: usize) -> bool {
        self.nodes.get(node).is_some_and(|state| state.is_pending)
    }

    /// The node to run next. Fails when all that are left wait for each other.
    pub fn next(&self, graph: &Graph) -> Result<Next, DependencyCycle> {
        match self.ready.first() {
            Some(&(_, turn)) => Ok(Next::Run(self.added[turn])),
            None if self.left == 0 => Ok(Next::Done),
            None if self.blocked > 0 => Ok(Next::Wait),
            None => Err(self.cycle(graph)),
        }
    }

    /// Holds a pending node back until it is [released](Self::release).
    pub fn block(&mut self, node: usize) {
        self.nodes[node].waits_for += 1;
        self.blocked += 1;
        self.rank(node);
    }

    /// Ends what [`block`](Self::block) began.
    pub fn release(&mut self, node: usize) {
        self.nodes[node].waits_for -= 1;
        self.blocked -= 1;
        self.rank(node);
    }

    /// Notes that a node has run; those that waited for it alone become ready.
    pub fn complete(&mut self, node: usize) {
        if !self.contains(node) {
            return;
        }
        self.nodes[node].is_pending = false;
        self.rank(node);
        self.left -= 1;
        for consumer in std::mem::take(&mut self.nodes[node].consumers) {
            self.links.remove(&(node, consumer));
            self.nodes[consumer].waits_for -= 1;
            self.rank(consumer);
        }
    }

    /// A cycle among the nodes that are left, when none of them is ready.
    fn cycle(&self, graph: &Graph) -> DependencyCycle {
        let is_pending = |node: &usize| self.nodes[*node].is_pending;
        let mut path = Vec::new();
        let mut seen = HashSet::new();
        let mut next = self.added.iter().copied().find(is_pending);
        while let Some(node) = next.filter(|&node| seen.insert(node)) {
            path.push(node);
            next = self.nodes[node].sources.iter().copied().find(is_pending);
        }
        let cycle = path.into_iter().skip_while(|&node| Some(node) != next);
        DependencyCycle {
            nodes: cycle
                .filter_map(|node| graph.at(node).map(|(id, _)| id.to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
