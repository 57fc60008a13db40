//! Finished prompts, the oldest first, up to a limit.

use std::sync::Arc;

use comfy_api::history::{History, HistoryEntry};
use indexmap::IndexMap;

/// Keeps at most `limit` finished prompts.
pub(crate) struct HistoryStore {
    entries: IndexMap<String, Kept>,
    limit: usize,
}

/// A finished prompt.
pub(crate) struct Kept {
    pub(crate) entry: Arc<HistoryEntry>,
    /// When it was submitted, in milliseconds since 1970.
    pub(crate) created: u64,
}

impl HistoryStore {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            entries: IndexMap::new(),
            limit,
        }
    }

    /// Adds an entry and drops the oldest if there are too many. A prompt id that is already there keeps its place.
    pub(crate) fn insert(&mut self, prompt_id: String, kept: Kept) {
        self.entries.insert(prompt_id, kept);
        while self.entries.len() > self.limit {
            self.entries.shift_remove_index(0);
        }
    }

    pub(crate) fn kept(&self, prompt_id: &str) -> Option<&Kept> {
        self.entries.get(prompt_id)
    }

    /// All of them, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Kept> {
        self.entries.values()
    }

    pub(crate) fn get(&self, prompt_id: &str) -> Option<Arc<HistoryEntry>> {
        Some(Arc::clone(&self.kept(prompt_id)?.entry))
    }

    pub(crate) fn contains(&self, prompt_id: &str) -> bool {
        self.entries.contains_key(prompt_id)
    }

    /// A part of the history: `max_items` entries from index `offset` on (0 is the oldest), or the last `max_items` ones
    /// if there is no offset or a negative one. Without `max_items` there is no limit.
    pub(crate) fn slice(&self, max_items: Option<i64>, offset: Option<i64>) -> History {
        let length = i64::try_from(self.entries.len()).unwrap_or(i64::MAX);
        let start = match (offset, max_items) {
            (Some(offset), _) if offset >= 0 => offset,
            (_, Some(max_items)) => length.saturating_sub(max_items),
            _ => 0,
        };
        let count = max_items.unwrap_or(length);
        History(
            self.entries
                .iter()
                .skip(usize::try_from(start).unwrap_or(0))
                .take(usize::try_from(count).unwrap_or(0))
                .map(|(id, kept)| (id.clone(), Arc::clone(&kept.entry)))
                .collect(),
        )
    }

    /// Removes entries; unknown ids are ignored.
    pub(crate) fn remove(&mut self, prompt_ids: &[String]) {
        if let [prompt_id] = prompt_ids {
            self.entries.shift_remove(prompt_id);
            return;
        }
        let doomed: std::collections::HashSet<&str> =
            prompt_ids.iter().map(String::as_str).collect();
        self.entries.retain(|id, _| !doomed.contains(id.as_str()));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use comfy_api::history::{ExecutionStatus, StatusText};
    use comfy_api::queue::QueueTuple;
    use serde_json::{Map, Value};

    use super::*;

    fn entry(prompt_id: &str) -> Arc<HistoryEntry> {
        Arc::new(HistoryEntry {
            prompt: QueueTuple {
                number: 0.into(),
                prompt_id: prompt_id.to_owned(),
                prompt: Arc::new(Value::Null),
                extra_data: Arc::new(Map::new()),
                outputs_to_execute: Vec::new(),
            },
            outputs: indexmap::IndexMap::new(),
            status: ExecutionStatus {
                status_str: StatusText::Success,
                completed: true,
                messages: Vec::new(),
            },
            meta: indexmap::IndexMap::new(),
        })
    }

    fn kept(prompt_id: &str) -> Kept {
        Kept {
            entry: entry(prompt_id),
            created: 0,
        }
    }

    fn store(limit: usize, ids: &[&str]) -> HistoryStore {
        let mut store = HistoryStore::new(limit);
        for id in ids {
            store.insert((*id).to_owned(), kept(id));
        }
        store
    }

    fn ids(history: &History) -> String {
        history.0.keys().map(String::as_str).collect()
    }

    #[test]
    fn the_oldest_goes_first() {
        let store = store(3, &["a", "b", "c", "d", "e"]);
        assert_eq!(ids(&store.slice(None, None)), "cde");
        assert!(!store.contains("b"));
    }

    #[test]
    fn parts_follow_comfyui() {
        let store = store(10, &["a", "b", "c", "d"]);
        for (max_items, offset, expected) in [
            (None, None, "abcd"),
            (Some(2), None, "cd"),
            (Some(2), Some(-5), "cd"),
            (Some(9), None, "abcd"),
            (Some(0), None, ""),
            (Some(0), Some(1), ""),
            (Some(-1), Some(-5), ""),
            (Some(2), Some(0), "ab"),
            (Some(2), Some(3), "d"),
            (Some(2), Some(9), ""),
            (None, Some(1), "bcd"),
            (None, Some(-1), "abcd"),
            (Some(i64::MIN), None, ""),
            (Some(i64::MAX), Some(i64::MAX), ""),
        ] {
            assert_eq!(
                ids(&store.slice(max_items, offset)),
                expected,
                "{max_items:?} {offset:?}"
            );
        }
    }

    #[test]
    fn entries_are_removed_and_order_is_kept() {
        let mut store = store(10, &["a", "b", "c", "d"]);
        store.remove(&["b".to_owned(), "x".to_owned()]);
        store.remove(&["a".to_owned()]);
        assert_eq!(ids(&store.slice(None, None)), "cd");
        store.insert("c".to_owned(), kept("c"));
        assert_eq!(ids(&store.slice(None, None)), "cd");
        store.clear();
        assert_eq!(ids(&store.slice(None, None)), "");
    }

    #[test]
    fn a_part_shares_its_entries() {
        let store = store(10, &["a"]);
        assert!(Arc::ptr_eq(
            &store.slice(None, None).0["a"],
            &store.get("a").expect("it was stored")
        ));
    }
}
