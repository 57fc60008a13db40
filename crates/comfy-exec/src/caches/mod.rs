//! Results of nodes, kept from one prompt to the next.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use comfy_graph::Value;
use serde_json::Value as Json;

use crate::CachePolicy;

/// What one run of a node gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeResult {
    /// For each output slot, its list of values.
    pub(crate) outputs: Vec<Vec<Value>>,
    /// What the node shows to the user, if anything.
    pub(crate) shown: Option<Json>,
}

/// Results by signature, under one of the three policies.
///
/// Generic over the signature so that the policies can be tested by themselves.
pub(crate) struct ResultCache<K> {
    policy: CachePolicy,
    entries: HashMap<K, Entry>,
    /// Counts the prompts.
    generation: u64,
    /// Entries that were used last before this generation have been evicted.
    oldest_generation: u64,
}

struct Entry {
    result: Arc<NodeResult>,
    used: u64,
}

impl<K: Clone + Eq + Hash> ResultCache<K> {
    pub(crate) fn new(policy: CachePolicy) -> Self {
        Self {
            policy,
            entries: HashMap::new(),
            generation: 0,
            oldest_generation: 0,
        }
    }

    /// A prompt whose nodes have these signatures begins: makes room.
    pub(crate) fn begin<'a>(&mut self, signatures: impl Iterator<Item = &'a K>)
    where
        K: 'a,
    {
        self.generation += 1;
        match self.policy {
            CachePolicy::Classic => {
                let used: HashSet<&K> = signatures.collect();
                self.entries.retain(|signature, _| used.contains(signature));
            }
            CachePolicy::Lru(limit) => {
                for signature in signatures {
                    if let Some(entry) = self.entries.get_mut(signature) {
                        entry.used = self.generation;
                    }
                }
                self.evict(limit);
            }
            CachePolicy::None => self.entries.clear(),
        }
    }

    /// Drops whole generations, the oldest first, until at most `limit` entries remain or only those of the present prompt.
    fn evict(&mut self, limit: usize) {
        while self.entries.len() > limit && self.oldest_generation < self.generation {
            let next = self
                .entries
                .values()
                .map(|entry| entry.used + 1)
                .filter(|&generation| generation > self.oldest_generation)
                .min()
                .unwrap_or(self.generation);
            self.oldest_generation = next.min(self.generation);
            self.entries
                .retain(|_, entry| entry.used >= self.oldest_generation);
        }
    }

    pub(crate) fn get(&self, signature: &K) -> Option<Arc<NodeResult>> {
        self.entries
            .get(signature)
            .map(|entry| Arc::clone(&entry.result))
    }

    pub(crate) fn insert(&mut self, signature: K, result: Arc<NodeResult>) {
        let used = self.generation;
        self.entries.insert(signature, Entry { result, used });
    }

    /// Nothing in the present prompt needs this result any more.
    pub(crate) fn release(&mut self, signature: &K) {
        if self.policy == CachePolicy::None {
            self.entries.remove(signature);
        }
    }

    /// The present prompt has ended.
    pub(crate) fn end(&mut self) {
        if self.policy == CachePolicy::None {
            self.entries.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

/// A node's state that outlives a run.
pub(crate) type Instance = Arc<dyn Any + Send + Sync>;

/// What nodes keep for themselves, by node id and class.
#[derive(Default)]
pub(crate) struct InstanceCache {
    by_node: HashMap<String, HashMap<String, Instance>>,
}

impl InstanceCache {
    /// A prompt begins: keeps what belongs to one of its nodes, given as ids with classes, or nothing under [`CachePolicy::None`].
    pub(crate) fn begin<'a>(
        &mut self,
        policy: CachePolicy,
        nodes: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        if self.by_node.is_empty() {
            return;
        }
        if policy == CachePolicy::None {
            self.clear();
            return;
        }
        let used: HashMap<&str, &str> = nodes.collect();
        self.by_node.retain(|id, by_class| {
            let class = used.get(id.as_str());
            by_class.retain(|own, _| class.is_some_and(|class| class == own));
            !by_class.is_empty()
        });
    }

    pub(crate) fn get_or_make(
        &mut self,
        node_id: &str,
        class: &str,
        make: &mut dyn FnMut() -> Instance,
    ) -> Instance {
        let by_class = self.by_node.entry(node_id.to_owned()).or_default();
        Arc::clone(by_class.entry(class.to_owned()).or_insert_with(|| make()))
    }

    pub(crate) fn clear(&mut self) {
        self.by_node.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(cache: &mut ResultCache<u32>, signatures: &[u32]) {
        cache.begin(signatures.iter());
        for signature in signatures {
            if cache.get(signature).is_none() {
                cache.insert(*signature, Arc::default());
            }
        }
        cache.end();
    }

    fn kept(cache: &ResultCache<u32>) -> Vec<u32> {
        (0..100)
            .filter(|signature| cache.get(signature).is_some())
            .collect()
    }

    #[test]
    fn classic_keeps_what_the_present_prompt_uses() {
        let mut cache = ResultCache::new(CachePolicy::Classic);
        run(&mut cache, &[1, 2, 3]);
        run(&mut cache, &[2, 4]);
        assert_eq!(kept(&cache), [2, 4]);
    }

    #[test]
    fn lru_keeps_older_results_up_to_its_limit() {
        let mut cache = ResultCache::new(CachePolicy::Lru(3));
        run(&mut cache, &[1, 2]);
        run(&mut cache, &[3]);
        assert_eq!(kept(&cache), [1, 2, 3]);
        run(&mut cache, &[1, 4]);
        // The fourth entry came after the room was made; the next prompt evicts the generation used longest ago.
        assert_eq!(kept(&cache), [1, 2, 3, 4]);
        run(&mut cache, &[5]);
        assert_eq!(kept(&cache), [1, 3, 4, 5]);
    }

    #[test]
    fn lru_never_drops_what_the_present_prompt_uses() {
        let mut cache = ResultCache::new(CachePolicy::Lru(0));
        run(&mut cache, &[1, 2, 3]);
        cache.begin([2, 3, 9].iter());
        assert_eq!(kept(&cache), [2, 3]);
    }

    #[test]
    fn none_keeps_nothing() {
        let mut cache = ResultCache::new(CachePolicy::None);
        cache.begin([1, 2].iter());
        cache.insert(1, Arc::default());
        cache.insert(2, Arc::default());
        cache.release(&1);
        assert_eq!(kept(&cache), [2]);
        cache.end();
        assert_eq!(kept(&cache), [0; 0]);
    }

    #[test]
    fn release_means_nothing_to_the_others() {
        for policy in [CachePolicy::Classic, CachePolicy::Lru(1)] {
            let mut cache = ResultCache::new(policy);
            run(&mut cache, &[1]);
            cache.release(&1);
            assert_eq!(kept(&cache), [1]);
        }
    }

    #[test]
    fn instances_live_as_long_as_their_node() {
        let mut cache = InstanceCache::default();
        let mut make = || Arc::new(7_u8) as Instance;
        let first = cache.get_or_make("1", "A", &mut make);
        cache.begin(CachePolicy::Classic, [("1", "A"), ("2", "B")].into_iter());
        assert!(Arc::ptr_eq(&first, &cache.get_or_make("1", "A", &mut make)));
        cache.begin(CachePolicy::Classic, [("1", "B")].into_iter());
        assert!(!Arc::ptr_eq(
            &first,
            &cache.get_or_make("1", "A", &mut make)
        ));
        cache.begin(CachePolicy::None, [("1", "A")].into_iter());
        assert!(cache.by_node.is_empty());
    }
}
