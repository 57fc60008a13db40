//! Which results are still needed by nodes that have not run, so that a result can be freed as early as possible.

use std::collections::HashMap;
use std::hash::Hash;

use comfy_graph::Prompt;

/// Counts, for each signature, the pending nodes that have it and the pending links to nodes that have it.
pub(crate) struct Consumers<'a, K> {
    prompt: &'a Prompt,
    signatures: &'a HashMap<String, K>,
    waiting: HashMap<&'a K, usize>,
}

impl<'a, K: Eq + Hash> Consumers<'a, K> {
    /// Counts for the nodes that will run.
    pub(crate) fn new(
        prompt: &'a Prompt,
        signatures: &'a HashMap<String, K>,
        pending: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut consumers = Self {
            prompt,
            signatures,
            waiting: HashMap::new(),
        };
        for node_id in pending {
            for signature in consumers.touched_by(node_id) {
                *consumers.waiting.entry(signature).or_default() += 1;
            }
        }
        consumers
    }

    /// A node has run. Returns the signatures that nothing needs any more.
    pub(crate) fn complete(&mut self, node_id: &str) -> Vec<&'a K> {
        let mut free = Vec::new();
        for signature in self.touched_by(node_id) {
            if let Some(count) = self.waiting.get_mut(signature) {
                *count -= 1;
                if *count == 0 {
                    self.waiting.remove(signature);
                    free.push(signature);
                }
            }
        }
        free
    }

    /// The signatures of a node and of every node that it has a link to.
    fn touched_by(&self, node_id: &str) -> Vec<&'a K> {
        let node = self.prompt.nodes.get(node_id);
        let sources = node
            .into_iter()
            .flat_map(|node| node.links().map(|(_, link)| link.node));
        std::iter::once(node_id)
            .chain(sources)
            .filter_map(|id| self.signatures.get(id))
            .collect()
    }
}
