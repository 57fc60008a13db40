//! Results of nodes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use comfy_graph::Item;
use serde_json::Value as Json;

use super::Owner;
use crate::CachePolicy;

/// What one run of a node gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeResult {
    /// For each output slot, its list of values.
    pub(crate) outputs: Vec<Vec<Item>>,
    /// What the node shows to the user, if anything.
    pub(crate) shown: Option<Json>,
}

impl NodeResult {
    /// How many bytes it holds; what is no value is not worth counting.
    fn size(&self) -> u64 {
        let items = self.outputs.iter().flatten();
        let sizes = items.filter_map(|item| Some(item.as_ref().ok()?.size() as u64));
        sizes.sum()
    }
}

/// Results by signature, under one of the policies.
///
/// A prompt [begins](Self::begin), [holds](Self::hold) what it will use and [releases](Self::release) it after the use, and
/// [ends](Self::end). What is held is never dropped.
///
/// Generic over the signature so that the policies can be tested by themselves.
pub(crate) struct ResultCache<K> {
    policy: CachePolicy,
    entries: HashMap<K, Entry>,
    /// Counts the prompts.
    generation: u64,
    /// Entries that were used last before this generation have been evicted.
    oldest_generation: u64,
    /// Owners whose nodes were added in the present prompt.
    expanded: HashSet<Owner>,
    /// How many nodes of the present prompt will still use a result; for policies that free early.
    holders: HashMap<K, usize>,
    /// Entries that nobody holds, the one used longest ago first; for a bounded cache.
    idle: BTreeSet<(u64, K)>,
    /// Counts the uses of entries.
    clock: u64,
    /// The size of all entries.
    size: u64,
}

struct Entry {
    result: Arc<NodeResult>,
    /// The generation that used it last.
    used: u64,
    /// When it was used last.
    time: u64,
    size: u64,
    owner: Option<Owner>,
}

impl<K: Copy + Eq + Hash + Ord> ResultCache<K> {
    pub(crate) fn new(policy: CachePolicy) -> Self {
        Self {
            policy,
            entries: HashMap::new(),
            generation: 0,
            oldest_generation: 0,
            expanded: HashSet::new(),
            holders: HashMap::new(),
            idle: BTreeSet::new(),
            clock: 0,
            size: 0,
        }
    }

    /// A prompt whose nodes have these signatures begins: makes room. `has` tells whether a node is part of it.
    pub(crate) fn begin<'a>(
        &mut self,
        signatures: impl Iterator<Item = &'a K>,
        has: impl Fn(&Owner) -> bool,
    ) where
        K: 'a,
    {
        self.generation += 1;
        self.expanded.clear();
        match self.policy {
            CachePolicy::Classic => {
                let used: HashSet<&K> = signatures.collect();
                self.entries.retain(|signature, entry| {
                    used.contains(signature) || entry.owner.as_ref().is_some_and(&has)
                });
            }
            CachePolicy::Lru(limit) => {
                self.touch(signatures);
                self.evict_generations(limit);
            }
            CachePolicy::Ram(_) => self.touch(signatures),
            CachePolicy::None => self.entries.clear(),
        }
    }

    /// These signatures belong to the present prompt.
    pub(crate) fn touch<'a>(&mut self, signatures: impl Iterator<Item = &'a K>)
    where
        K: 'a,
    {
        for signature in signatures {
            if let Some(entry) = self.entries.get_mut(signature) {
                entry.used = self.generation;
                self.clock += 1;
                if self.idle.remove(&(entry.time, *signature)) {
                    self.idle.insert((self.clock, *signature));
                }
                entry.time = self.clock;
            }
        }
    }

    /// A node of the client is expanded, so that results of nodes it had before, and has no more, can go in the end.
    pub(crate) fn expand(&mut self, owner: Owner) {
        self.expanded.insert(owner);
    }

    /// Drops whole generations, the oldest first, until at most `limit` entries remain or only those of the present prompt.
    fn evict_generations(&mut self, limit: usize) {
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

    /// Drops what nobody holds, the entry used longest ago first, until the rest is small enough.
    fn evict_bytes(&mut self) {
        let CachePolicy::Ram(limit) = self.policy else {
            return;
        };
        while self.size > limit
            && let Some((_, signature)) = self.idle.pop_first()
        {
            if let Some(entry) = self.entries.remove(&signature) {
                self.size -= entry.size;
            }
        }
    }

    pub(crate) fn get(&self, signature: &K) -> Option<&Arc<NodeResult>> {
        self.entries.get(signature).map(|entry| &entry.result)
    }

    /// Counts the prompts.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Keeps a result of a prompt that was the present one at this generation. Where others have begun meanwhile it is kept as it would
    /// be if it had come in time, provided that the present prompt has no node of this signature.
    pub(crate) fn insert_late(&mut self, signature: K, result: Arc<NodeResult>, generation: u64) {
        let is_late = generation != self.generation;
        match self.policy {
            CachePolicy::None => return,
            CachePolicy::Classic if is_late => return,
            _ => self.insert(signature, result, None),
        }
        if let Some(entry) = self.entries.get_mut(&signature) {
            entry.used = generation;
        }
    }

    pub(crate) fn insert(&mut self, signature: K, result: Arc<NodeResult>, owner: Option<Owner>) {
        self.clock += 1;
        let entry = Entry {
            size: match self.policy {
                CachePolicy::Ram(_) => result.size(),
                _ => 0,
            },
            result,
            used: self.generation,
            time: self.clock,
            owner,
        };
        self.size += entry.size;
        let time = entry.time;
        if let Some(old) = self.entries.insert(signature, entry) {
            self.size -= old.size;
            self.idle.remove(&(old.time, signature));
        }
        if matches!(self.policy, CachePolicy::Ram(_)) && !self.holders.contains_key(&signature) {
            self.idle.insert((time, signature));
        }
        self.evict_bytes();
    }

    /// Whether results are dropped while a prompt runs, so that they must be held.
    fn frees_early(&self) -> bool {
        matches!(self.policy, CachePolicy::None | CachePolicy::Ram(_))
    }

    /// A node of the present prompt will need this result.
    pub(crate) fn hold(&mut self, signature: &K) {
        if !self.frees_early() {
            return;
        }
        *self.holders.entry(*signature).or_default() += 1;
        if let Some(entry) = self.entries.get(signature) {
            self.idle.remove(&(entry.time, *signature));
        }
    }

    /// A node does not need this result any more.
    pub(crate) fn release(&mut self, signature: &K) {
        let Some(holders) = self.holders.get_mut(signature) else {
            return;
        };
        *holders -= 1;
        if *holders > 0 {
            return;
        }
        self.holders.remove(signature);
        if self.policy == CachePolicy::None {
            self.entries.remove(signature);
        } else if let Some(entry) = self.entries.get(signature) {
            self.idle.insert((entry.time, *signature));
            self.evict_bytes();
        }
    }

    /// The present prompt has ended, well or not.
    pub(crate) fn end(&mut self, completed: bool) {
        let held: Vec<K> = self
            .holders
            .drain()
            .map(|(signature, _)| signature)
            .collect();
        match self.policy {
            CachePolicy::None => self.entries.clear(),
            CachePolicy::Ram(_) => {
                for signature in held {
                    if let Some(entry) = self.entries.get(&signature) {
                        self.idle.insert((entry.time, signature));
                    }
                }
                self.evict_bytes();
            }
            CachePolicy::Classic if completed => {
                let (expanded, generation) = (&self.expanded, self.generation);
                self.entries.retain(|_, entry| {
                    let owner = entry.owner.as_ref();
                    entry.used == generation || !owner.is_some_and(|owner| expanded.contains(owner))
                });
            }
            CachePolicy::Classic | CachePolicy::Lru(_) => {}
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.idle.clear();
        self.size = 0;
    }
}

#[cfg(test)]
mod tests;
