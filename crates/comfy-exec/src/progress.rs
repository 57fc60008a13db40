//! How far the nodes of one prompt are, and the `progress_state` messages about it.

use std::sync::Arc;

use comfy_api::events::{NodeProgress, NodeState, ProgressState};
use comfy_api::jobs::{JobProgress, RunningNode};
use indexmap::IndexMap;
use serde_json::Number;

use crate::names::NodeNames;

/// Up to this many touched nodes every message names all of them, as ComfyUI's do.
const COMPLETE_UP_TO: usize = 1024;

/// Beyond that a message names this many nodes: the ones touched last.
///
/// A message for every step with every node in it grows with the square of the number of nodes: 100,000 nodes would
/// make more than a terabyte. Every node is still reported each time its own state changes.
const LATEST: usize = 8;

/// The progress of one prompt.
pub(crate) struct ProgressBook {
    prompt_id: String,
    nodes: IndexMap<Arc<str>, Entry>,
    /// Nodes that have to run, as far as is known.
    total: usize,
    /// Nodes that have run.
    done: usize,
}

#[derive(Clone)]
struct Entry {
    names: Arc<NodeNames>,
    value: Number,
    max: Number,
    state: NodeState,
}

impl Entry {
    /// The part of the node's own steps that is done, from 0 to 1.
    fn part(&self) -> f64 {
        match (self.value.as_f64(), self.max.as_f64()) {
            (Some(value), Some(max)) if max > 0.0 => (value / max).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }
}

impl ProgressBook {
    pub(crate) fn new(prompt_id: String) -> Self {
        Self {
            prompt_id,
            nodes: IndexMap::new(),
            total: 0,
            done: 0,
        }
    }

    /// So many more nodes have to run.
    pub(crate) fn expect_more(&mut self, nodes: usize) {
        self.total += nodes;
    }

    /// How far the prompt is.
    pub(crate) fn summary(&self) -> JobProgress {
        let running = || {
            let entries = self.nodes.values();
            entries.filter(|entry| entry.state == NodeState::Running)
        };
        let begun: f64 = running().map(Entry::part).sum();
        // The node that a client sees at work is the one that began last.
        let node = running().next_back().map(|entry| RunningNode {
            node_id: entry.names.id.to_string(),
            display_node_id: entry.names.display.to_string(),
            value: entry.value.clone(),
            max: entry.max.clone(),
        });
        JobProgress {
            value: if self.total == 0 {
                0.0
            } else {
                ((self.done as f64 + begun) / self.total as f64).clamp(0.0, 1.0)
            },
            nodes_done: self.done,
            nodes_total: self.total,
            node,
        }
    }

    /// A node begins.
    pub(crate) fn start(&mut self, names: &Arc<NodeNames>) -> ProgressState {
        self.set(
            names,
            Entry {
                names: Arc::clone(names),
                value: float(0.0),
                max: float(1.0),
                state: NodeState::Running,
            },
        )
    }

    /// A node has done `value` of `max` steps.
    pub(crate) fn update(
        &mut self,
        names: &Arc<NodeNames>,
        value: Number,
        max: Number,
    ) -> ProgressState {
        self.set(
            names,
            Entry {
                names: Arc::clone(names),
                value,
                max,
                state: NodeState::Running,
            },
        )
    }

    /// A node has run, or was found in the cache.
    pub(crate) fn finish(&mut self, names: &Arc<NodeNames>) -> ProgressState {
        let max = self
            .nodes
            .get(&names.id)
            .map_or_else(|| Number::from(1), |entry| entry.max.clone());
        self.done += 1;
        self.set(
            names,
            Entry {
                names: Arc::clone(names),
                value: max.clone(),
                max,
                state: NodeState::Finished,
            },
        )
    }

    fn set(&mut self, names: &NodeNames, entry: Entry) -> ProgressState {
        let index = match self.nodes.get_index_of(&names.id) {
            Some(index) => {
                self.nodes[index] = entry;
                index
            }
            None => self.nodes.insert_full(Arc::clone(&names.id), entry).0,
        };
        self.message(index)
    }

    /// The message after a change of node number `changed`.
    fn message(&self, changed: usize) -> ProgressState {
        let count = self.nodes.len();
        let first = if count <= COMPLETE_UP_TO {
            0
        } else {
            count - LATEST
        };
        let earlier = (changed < first).then_some(changed);
        let nodes = earlier
            .into_iter()
            .chain(first..count)
            .filter_map(|index| self.nodes.get_index(index))
            .map(|(node_id, entry)| (node_id.to_string(), self.report(entry)))
            .collect();
        ProgressState {
            prompt_id: self.prompt_id.clone(),
            nodes,
        }
    }

    fn report(&self, entry: &Entry) -> NodeProgress {
        let NodeNames {
            id,
            display,
            parent,
            real,
        } = &*entry.names;
        NodeProgress {
            value: entry.value.clone(),
            max: entry.max.clone(),
            state: entry.state,
            node_id: id.to_string(),
            prompt_id: self.prompt_id.clone(),
            display_node_id: display.to_string(),
            parent_node_id: parent.as_deref().map(str::to_owned),
            real_node_id: real.to_string(),
        }
    }
}

fn float(value: f64) -> Number {
    Number::from_f64(value).expect("0 and 1 are finite")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(id: &str) -> Arc<NodeNames> {
        let id: Arc<str> = id.into();
        Arc::new(NodeNames {
            display: Arc::clone(&id),
            parent: None,
            real: Arc::clone(&id),
            id,
        })
    }

    fn node(value: &serde_json::Value, max: &serde_json::Value, state: &str) -> serde_json::Value {
        json!({"value": value, "max": max, "state": state, "node_id": "3", "prompt_id": "p", "display_node_id": "3",
            "parent_node_id": null, "real_node_id": "3"})
    }

    fn wire(state: &ProgressState) -> serde_json::Value {
        serde_json::to_value(state).expect("it serialises")
    }

    #[test]
    fn the_numbers_are_comfyuis() {
        let mut book = ProgressBook::new("p".to_owned());
        let message = |node: serde_json::Value| json!({"prompt_id": "p", "nodes": {"3": node}});
        assert_eq!(
            wire(&book.start(&names("3"))),
            message(node(&json!(0.0), &json!(1.0), "running"))
        );
        assert_eq!(
            wire(&book.update(&names("3"), 1.into(), 4.into())),
            message(node(&json!(1), &json!(4), "running"))
        );
        assert_eq!(
            wire(&book.finish(&names("3"))),
            message(node(&json!(4), &json!(4), "finished"))
        );
        // A node from the cache never began.
        let mut book = ProgressBook::new("p".to_owned());
        assert_eq!(
            wire(&book.finish(&names("3"))),
            message(node(&json!(1), &json!(1), "finished"))
        );
    }

    #[test]
    fn a_summary_counts_nodes_and_the_steps_of_those_that_run() {
        let mut book = ProgressBook::new("p".to_owned());
        assert_eq!((book.summary().value, book.summary().node), (0.0, None));
        book.expect_more(4);
        book.start(&names("4"));
        book.finish(&names("4"));
        book.start(&names("3"));
        book.update(&names("3"), 1.into(), 2.into());
        let summary = book.summary();
        assert_eq!((summary.nodes_done, summary.nodes_total), (1, 4));
        assert!((summary.value - 0.375).abs() < 1e-12, "{}", summary.value);
        let node = summary.node.expect("one runs");
        assert_eq!(
            (node.node_id.as_str(), node.value, node.max),
            ("3", 1.into(), 2.into())
        );
        // A node may count wrongly, or add others.
        book.update(&names("3"), 9.into(), 2.into());
        assert!((book.summary().value - 0.5).abs() < 1e-12);
        book.expect_more(4);
        assert!((book.summary().value - 0.25).abs() < 1e-12);
    }

    #[test]
    fn nodes_are_named_in_the_order_in_which_they_were_touched() {
        let mut book = ProgressBook::new("p".to_owned());
        book.start(&names("4"));
        book.finish(&names("4"));
        book.start(&names("2"));
        let state = book.start(&names("3"));
        assert_eq!(state.nodes.keys().collect::<Vec<_>>(), ["4", "2", "3"]);
        assert_eq!(state.nodes["4"].value, float(1.0));
    }

    #[test]
    fn a_giant_prompt_names_the_changed_node_and_the_latest() {
        let mut book = ProgressBook::new("p".to_owned());
        for index in 0..COMPLETE_UP_TO {
            assert_eq!(
                book.start(&names(&index.to_string())).nodes.len(),
                index + 1
            );
        }
        let state = book.start(&names("last"));
        assert_eq!(state.nodes.len(), LATEST);
        assert_eq!(state.nodes.last().map(|(id, _)| id.as_str()), Some("last"));
        let state = book.finish(&names("0"));
        assert_eq!(state.nodes.len(), LATEST + 1);
        assert_eq!(state.nodes["0"].state, NodeState::Finished);
    }
}
