//! What nodes keep for themselves.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use super::Owner;
use crate::CachePolicy;

/// A node's state that outlives a run.
pub(crate) type Instance = Arc<dyn Any + Send + Sync>;

/// What nodes keep for themselves, by node id and class.
#[derive(Default)]
pub(crate) struct InstanceCache {
    by_node: HashMap<String, HashMap<String, Kept>>,
}

struct Kept {
    instance: Instance,
    owner: Option<Owner>,
}

impl InstanceCache {
    /// A prompt begins: keeps what belongs to one of its nodes, given as ids with classes, or nothing under
    /// [`CachePolicy::None`].
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
        let is_used = |id: &str, class: &str| used.get(id).is_some_and(|used| *used == class);
        self.by_node.retain(|id, by_class| {
            by_class.retain(|class, kept| match &kept.owner {
                Some(owner) => is_used(&owner.node_id, &owner.class),
                None => is_used(id, class),
            });
            !by_class.is_empty()
        });
    }

    pub(crate) fn get(&self, node_id: &str, class: &str) -> Option<Instance> {
        let kept = self.by_node.get(node_id)?.get(class)?;
        Some(Arc::clone(&kept.instance))
    }

    /// Keeps an instance, unless there is one already. Returns the one that is kept.
    pub(crate) fn insert(
        &mut self,
        node_id: &str,
        class: &str,
        owner: Option<&Owner>,
        instance: Instance,
    ) -> Instance {
        let by_class = self.by_node.entry(node_id.to_owned()).or_default();
        let kept = by_class.entry(class.to_owned()).or_insert_with(|| Kept {
            instance,
            owner: owner.cloned(),
        });
        Arc::clone(&kept.instance)
    }

    pub(crate) fn clear(&mut self) {
        self.by_node.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_live_as_long_as_their_node() {
        let mut cache = InstanceCache::default();
        let instance = || Arc::new(7_u8) as Instance;
        let owner = Owner {
            node_id: "1".to_owned(),
            class: "A".to_owned(),
        };
        let first = cache.insert("1", "A", None, instance());
        let inner = cache.insert("1.0.0.1", "B", Some(&owner), instance());
        assert!(Arc::ptr_eq(
            &first,
            &cache.insert("1", "A", None, instance())
        ));
        cache.begin(CachePolicy::Classic, [("1", "A"), ("2", "B")].into_iter());
        for (id, class, instance) in [("1", "A", first), ("1.0.0.1", "B", inner)] {
            let again = cache.get(id, class).expect("its node is still there");
            assert!(Arc::ptr_eq(&instance, &again));
        }
        cache.begin(CachePolicy::Classic, [("1", "B")].into_iter());
        assert!(cache.by_node.is_empty());
        cache.insert("1", "A", None, instance());
        cache.begin(CachePolicy::None, [("1", "A")].into_iter());
        assert!(cache.by_node.is_empty());
    }
}
