//! Keys under which results are kept: nodes that would compute the same have the same key.
//!
//! The key of a node is a hash of its class, its fingerprint, its widget values, and the keys and slots of the nodes it is
//! linked to; its id matters only when the class asks for it. Values are equal as they are in Python, where `1`, `1.0` and
//! `true` are the same and NaN equals nothing, so that a node whose values or fingerprint contain NaN, and everything after
//! it, has a key that never comes again.
//!
//! ComfyUI's key also tells apart whether two inputs are linked to one node or to two equal ones. Here both have the same
//! key, since their results are the same; that lets a key be computed from those of its sources, in time proportional to the
//! size of the prompt.

use crate::{Graph, Json, NodeRegistry, PromptInput, PromptNode, Value, python_json};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// The key of a node's result: 256 bits, so that equal keys mean equal content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature([u8; 32]);

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signature(")?;
        for byte in self.0.iter().take(8) {
            write!(formatter, "{byte:02x}")?;
        }
        formatter.write_str("…)")
    }
}

/// The keys of all nodes of a graph whose fingerprints are known, by place.
///
/// Nodes in or after a dependency cycle get keys that never come again.
#[derive(Debug, Default)]
pub struct Signatures {
    by_position: Vec<Signature>,
}

impl Signatures {
    /// The keys of the nodes that the graph has now.
    pub fn of(graph: &Graph, registry: &NodeRegistry) -> Self {
        let mut signatures = Self::default();
        signatures.extend(graph, registry);
        signatures
    }

    /// The key of the node at `position` of the graph.
    pub fn get(&self, position: usize) -> Option<Signature> {
        self.by_position.get(position).copied()
    }

    /// All keys, in the order of the nodes.
    pub fn iter(&self) -> impl Iterator<Item = &Signature> {
        self.by_position.iter()
    }

    /// Adds the keys of the nodes that were added to the graph since.
    pub fn extend(&mut self, graph: &Graph, registry: &NodeRegistry) {
        let (first, count) = (self.by_position.len(), graph.len());
        let mut added: Vec<Option<Signature>> = vec![None; count - first];
        let mut is_open = vec![false; count - first];
        for start in 0..added.len() {
            let mut path = vec![start];
            while let Some(&node) = path.last() {
                let Some((id, prompt_node)) = graph.at(first + node) else {
                    path.pop();
                    continue;
                };
                if added[node].is_some() {
                    path.pop();
                    continue;
                }
                let before = path.len();
                if !is_open[node] {
                    is_open[node] = true;
                    let sources = prompt_node.links().filter_map(|(_, link)| {
                        let source = graph.position(&link.node)?.checked_sub(first)?;
                        (added[source].is_none() && !is_open[source]).then_some(source)
                    });
                    path.extend(sources);
                }
                if path.len() == before {
                    path.pop();
                    let known = |id: &str| {
                        let source = graph.position(id)?;
                        Some(match source.checked_sub(first) {
                            Some(source) => added[source],
                            None => self.get(source),
                        })
                    };
                    added[node] = Some(signature(id, prompt_node, registry, known));
                }
            }
        }
        self.by_position.extend(added.into_iter().flatten());
    }
}

/// The key of one node; `known` gives that of a source, `None` for ids that the prompt does not have.
fn signature(
    id: &str,
    node: &PromptNode,
    registry: &NodeRegistry,
    known: impl Fn(&str) -> Option<Option<Signature>>,
) -> Signature {
    let mut content = Content::default();
    content.text(&node.class_type);
    let class = registry.get(&node.class_type);
    match &node.is_changed {
        Some(fingerprint) if class.is_some_and(crate::NodeClass::has_fingerprint) => {
            content.value(fingerprint);
        }
        _ => content.value(&Json::Bool(false)),
    }
    if class.is_some_and(crate::NodeClass::is_bound_to_id) {
        content.text(id);
    }
    let mut inputs: Vec<_> = node.inputs.iter().collect();
    inputs.sort_unstable_by_key(|(name, _)| *name);
    for (name, input) in inputs {
        content.text(name);
        match input {
            PromptInput::Constant(json) => content.value(json),
            PromptInput::Value(value) => content.object(value),
            PromptInput::Link(link) => match known(&link.node) {
                Some(Some(signature)) => content.link(signature, link.slot),
                // Part of a cycle, or a link to nowhere: this node never runs.
                Some(None) | None => content.unique(),
            },
        }
    }
    content.signature()
}

/// What goes into a key; each part begins with its kind and length, so that different contents never look the same.
#[derive(Default)]
struct Content {
    hash: Sha256,
}

impl Content {
    fn part(&mut self, kind: u8, bytes: &[u8]) {
        self.hash.update([kind]);
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.part(b's', text.as_bytes());
    }

    fn link(&mut self, source: Signature, slot: i64) {
        self.part(b'l', &source.0);
        self.part(b'i', &i128::from(slot).to_le_bytes());
    }

    /// Something that equals nothing.
    fn unique(&mut self) {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        self.part(b'u', &number.to_le_bytes());
    }

    /// A value in the hands of a node: equal by content if it is plain, and otherwise only to itself.
    fn object(&mut self, value: &Value) {
        const PLAIN: [&str; 6] = ["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "*"];
        match value.to_json() {
            Some(json) if PLAIN.contains(&value.socket()) => self.value(&json),
            _ => self.part(b'v', &value.identity().to_le_bytes()),
        }
    }

    fn value(&mut self, value: &Json) {
        if let Some(number) = python_json::as_f64(value) {
            return self.number(value, number);
        }
        match value {
            Json::Null => self.part(b'n', &[]),
            Json::Bool(value) => self.whole(i128::from(*value)),
            Json::String(text) => self.text(text),
            Json::Array(items) => {
                self.part(b'a', &(items.len() as u64).to_le_bytes());
                for item in items {
                    self.value(item);
                }
            }
            Json::Object(members) => {
                self.part(b'o', &(members.len() as u64).to_le_bytes());
                let mut members: Vec<_> = members.iter().collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                for (key, value) in members {
                    self.text(key);
                    self.value(value);
                }
            }
            // A number without a value cannot be compared.
            Json::Number(_) => self.unique(),
        }
    }

    fn number(&mut self, json: &Json, value: f64) {
        const WHOLE_BELOW: f64 = 1e38;
        let signed = json.as_i64().map(i128::from);
        if let Some(whole) = signed.or_else(|| json.as_u64().map(i128::from)) {
            self.whole(whole);
        } else if value.is_nan() {
            self.unique();
        } else if value.fract() == 0.0 && value.abs() < WHOLE_BELOW {
            self.whole(value as i128);
        } else {
            self.part(b'f', &value.to_bits().to_le_bytes());
        }
    }

    fn whole(&mut self, value: i128) {
        self.part(b'i', &value.to_le_bytes());
    }

    fn signature(self) -> Signature {
        Signature(self.hash.finalize().into())
    }
}

#[cfg(test)]
mod tests;
