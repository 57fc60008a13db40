//! Asks the classes that have one for the fingerprints of their nodes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use comfy_graph::{Constants, Graph, Json, NodeClass, PromptNode, Services, python_json};

use crate::EngineOptions;

/// Writes the fingerprints of the client's nodes into the graph, unless the prompt brought them. Returns the prompt with them.
pub(super) fn add(options: &EngineOptions, graph: &mut Graph, prompt: &Arc<Json>) -> Arc<Json> {
    let mut prompt = Arc::clone(prompt);
    for position in 0..graph.len() {
        let Some(fingerprint) = add_to(options, graph, position) else {
            continue;
        };
        let node = graph
            .at(position)
            .and_then(|(id, _)| Arc::make_mut(&mut prompt).get_mut(id));
        if let Some(Json::Object(members)) = node {
            members.insert("is_changed".to_owned(), fingerprint);
        }
    }
    prompt
}

/// Writes the fingerprint of a node into the graph, if its class has one and it is not known.
pub(super) fn add_to(options: &EngineOptions, graph: &mut Graph, position: usize) -> Option<Json> {
    let (id, node) = graph.at(position)?;
    let class = options.registry.get(&node.class_type)?;
    if !class.has_fingerprint() || node.is_changed.is_some() {
        return None;
    }
    let found = fingerprint(id, node, class, &options.services);
    let id = id.to_owned();
    graph.node_mut(&id)?.is_changed = Some(found.clone());
    Some(found)
}

fn fingerprint(id: &str, node: &PromptNode, class: &NodeClass, services: &Services) -> Json {
    let ask = || class.fingerprint(&Constants::of_prompt(&node.inputs), services);
    match catch_unwind(AssertUnwindSafe(ask)) {
        Ok(Ok(fingerprint)) => Json::Array(vec![fingerprint]),
        Ok(Err(error)) => {
            tracing::warn!(node = %id, class = class.id(), %error, "a node has no fingerprint and will run");
            python_json::nan()
        }
        Err(_) => {
            tracing::warn!(node = %id, class = class.id(), "a node panicked over its fingerprint and will run");
            python_json::nan()
        }
    }
}
