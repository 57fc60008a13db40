//! In which order the nodes of a prompt run.

use crate::{Link, NodeRegistry, Prompt, PromptNode};
use std::collections::{BTreeSet, HashSet};

/// Nodes that need each other, so that none of them can run first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Dependency cycle detected")]
pub struct DependencyCycle {
    /// Their ids; each needs the next, the last one the first.
    pub nodes: Vec<String>,
}

/// The nodes that still have to run.
///
/// [`add`](Self::add) the output nodes, then [`pick`](Self::pick) a node, run it, and [`complete`](Self::complete) it, until
/// there is none. Of the nodes that are ready, an output node comes first, then one that an output node waits for, then one
/// two steps away from an output node, so that people soon see something; among equals the one that was added first.
///
/// Adding and completing everything takes time in proportion to the links of the prompt, times a logarithm.
#[derive(Debug)]
pub struct PendingGraph<'a> {
    prompt: &'a Prompt,
    registry: &'a NodeRegistry,
    /// By position in the prompt.
    nodes: Vec<State>,
    links: HashSet<(usize, usize)>,
    /// Positions in the order in which the nodes were added.
    added: Vec<usize>,
    left: usize,
    /// Ready nodes by rank, then by the order in which they were added.
    ready: BTreeSet<(Rank, usize)>,
    /// Whether links were added since the ready nodes were ranked.
    is_stale: bool,
}

/// What is known of a node.
#[derive(Debug, Clone, Default)]
struct State {
    phase: Phase,
    /// The place in the order in which nodes were added.
    place: usize,
    /// How many nodes it waits for.
    waits_for: usize,
    /// The nodes that wait for it.
    consumers: Vec<usize>,
    is_output: bool,
    /// Whether an output node waits for it.
    feeds_output: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Absent,
    Pending,
    Complete,
}

/// How soon a ready node should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Output,
    BeforeOutput,
    TwoBeforeOutput,
    Other,
}

impl<'a> PendingGraph<'a> {
    /// Nothing to run yet.
    pub fn new(prompt: &'a Prompt, registry: &'a NodeRegistry) -> Self {
        Self {
            prompt,
            registry,
            nodes: vec![State::default(); prompt.nodes.len()],
            links: HashSet::new(),
            added: Vec::new(),
            left: 0,
            ready: BTreeSet::new(),
            is_stale: false,
        }
    }

    /// Adds a node and what it needs, but for nodes whose result `is_cached`, and for lazy inputs.
    ///
    /// The node itself is added even when its result is cached. Links to nodes that the prompt does not have are left to
    /// the run of the node that has them.
    pub fn add(&mut self, id: &str, mut is_cached: impl FnMut(&str) -> bool) {
        let Some(start) = self.prompt.nodes.get_index_of(id) else {
            return;
        };
        let prompt = self.prompt;
        let mut open = vec![start];
        let mut links = Vec::new();
        while let Some(node) = open.pop() {
            if !self.insert(node) {
                continue;
            }
            let Some((_, prompt_node)) = prompt.nodes.get_index(node) else {
                continue;
            };
            for link in self.strong_links(prompt_node) {
                if let Some((source, id, _)) = prompt.nodes.get_full(link.node)
                    && !is_cached(id)
                {
                    open.push(source);
                    links.push((source, node));
                }
            }
        }
        for (source, node) in links {
            self.link(source, node);
        }
        self.is_stale = true;
    }

    /// The links whose sources must run before the node.
    fn strong_links(&self, node: &'a PromptNode) -> impl Iterator<Item = Link<'a>> + use<'a> {
        let class = self.registry.get(&node.class_type);
        let is_lazy = move |name: &str| {
            let input = class.and_then(|class| class.template().input(name));
            input.is_some_and(crate::InputSpec::is_lazy)
        };
        node.links()
            .filter(move |(name, _)| !is_lazy(name))
            .map(|(_, link)| link)
    }

    /// Makes a node pending; `false` when it was already.
    fn insert(&mut self, node: usize) -> bool {
        let place = self.added.len();
        let Some(state) = self.nodes.get_mut(node) else {
            return false;
        };
        if state.phase != Phase::Absent {
            return false;
        }
        let class = self
            .prompt
            .nodes
            .get_index(node)
            .and_then(|(_, node)| self.registry.get(&node.class_type));
        state.phase = Phase::Pending;
        state.place = place;
        state.is_output = class.is_some_and(crate::NodeClass::is_output_node);
        self.added.push(node);
        self.left += 1;
        true
    }

    fn link(&mut self, source: usize, node: usize) {
        if self.nodes[source].phase != Phase::Pending || !self.links.insert((source, node)) {
            return;
        }
        let is_output = self.nodes[node].is_output;
        self.nodes[node].waits_for += 1;
        self.nodes[source].consumers.push(node);
        self.nodes[source].feeds_output |= is_output;
    }

    /// The nodes that are or were to run, in the order in which they were added.
    pub fn nodes(&self) -> impl Iterator<Item = &'a str> {
        self.added.iter().filter_map(|&node| self.id(node))
    }

    /// How many nodes still have to run.
    pub fn len(&self) -> usize {
        self.left
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// The node to run next; `None` when nothing is left. Fails when all that are left wait for each other.
    pub fn pick(&mut self) -> Result<Option<&'a str>, DependencyCycle> {
        if self.is_stale {
            self.rank_all();
        }
        match self.ready.first() {
            Some(&(_, place)) => Ok(self.id(self.added[place])),
            None if self.left == 0 => Ok(None),
            None => Err(self.cycle()),
        }
    }

    /// Notes that a node has run; those that waited for it alone become ready.
    pub fn complete(&mut self, id: &str) {
        let Some(node) = self.prompt.nodes.get_index_of(id) else {
            return;
        };
        if self.nodes[node].phase != Phase::Pending {
            return;
        }
        let ranked = (self.rank(node), self.nodes[node].place);
        self.ready.remove(&ranked);
        self.nodes[node].phase = Phase::Complete;
        self.left -= 1;
        for consumer in std::mem::take(&mut self.nodes[node].consumers) {
            self.nodes[consumer].waits_for -= 1;
            if self.nodes[consumer].waits_for == 0 {
                let ranked = (self.rank(consumer), self.nodes[consumer].place);
                self.ready.insert(ranked);
            }
        }
    }

    fn rank_all(&mut self) {
        let is_ready = |state: &State| state.phase == Phase::Pending && state.waits_for == 0;
        let nodes = self.added.iter().copied();
        self.ready = nodes
            .filter(|&node| is_ready(&self.nodes[node]))
            .map(|node| (self.rank(node), self.nodes[node].place))
            .collect();
        self.is_stale = false;
    }

    fn rank(&self, node: usize) -> Rank {
        let state = &self.nodes[node];
        let feeds_output = |&consumer: &usize| self.nodes[consumer].feeds_output;
        if state.is_output {
            Rank::Output
        } else if state.feeds_output {
            Rank::BeforeOutput
        } else if state.consumers.iter().any(feeds_output) {
            Rank::TwoBeforeOutput
        } else {
            Rank::Other
        }
    }

    fn id(&self, node: usize) -> Option<&'a str> {
        self.prompt.nodes.get_index(node).map(|(id, _)| id.as_str())
    }

    /// A cycle among the nodes that are left, when none of them is ready.
    fn cycle(&self) -> DependencyCycle {
        let is_pending = |&node: &usize| self.nodes[node].phase == Phase::Pending;
        let mut path = Vec::new();
        let mut seen = HashSet::new();
        let mut next = self.added.iter().copied().find(is_pending);
        while let Some(node) = next.filter(|&node| seen.insert(node)) {
            path.push(node);
            let prompt_node = self.prompt.nodes.get_index(node).map(|(_, node)| node);
            next = prompt_node.and_then(|prompt_node| {
                self.strong_links(prompt_node)
                    .filter_map(|link| self.prompt.nodes.get_index_of(link.node))
                    .find(|&source| self.links.contains(&(source, node)) && is_pending(&source))
            });
        }
        let cycle = path.into_iter().skip_while(|&node| Some(node) != next);
        DependencyCycle {
            nodes: cycle
                .filter_map(|node| self.id(node).map(str::to_owned))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests;
