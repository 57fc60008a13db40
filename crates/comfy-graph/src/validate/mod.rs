//! Tests whether a prompt can run, with the complaints that ComfyUI makes.
//!
//! The walk goes from each output node to what it depends on, each node once, on an explicit stack: the depth of a prompt
//! costs memory and not the stack of the thread. Complaints about a node are given in the order in which the class declares
//! its inputs, nodes in the order in which the walk leaves them.

mod inputs;
mod links;
mod near;
mod problem;
mod report;
mod walk;

use crate::{Catalog, Json, NodeRegistry, Services};
use comfy_api::error::{ErrorDetail, NodeErrors};
use serde_json::Map;
use std::collections::HashSet;

/// A prompt that can run, at least in part.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// The output nodes that can run, in the order of the prompt.
    pub outputs: Vec<String>,
    /// Why the others cannot.
    pub node_errors: NodeErrors,
}

/// A prompt that cannot run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", describe(error))]
pub struct Invalid {
    /// Why the prompt as a whole cannot run.
    pub error: ErrorDetail,
    /// Complaints by node id.
    pub node_errors: NodeErrors,
}

fn describe(error: &ErrorDetail) -> String {
    if error.details.is_empty() {
        error.message.clone()
    } else {
        format!("{}: {}", error.message, error.details)
    }
}

impl Invalid {
    fn new(error: ErrorDetail) -> Self {
        Self {
            error,
            node_errors: NodeErrors::new(),
        }
    }
}

/// Tests a prompt and converts its widget values, in place, to the types of their inputs.
///
/// `targets` restricts the output nodes to run; `None` means all. The prompt can run when at least one output node can.
pub fn validate(
    prompt: &mut Json,
    targets: Option<&[String]>,
    registry: &NodeRegistry,
    catalog: &dyn Catalog,
    services: &Services,
) -> Result<Validated, Invalid> {
    let empty = Map::new();
    let nodes = match &*prompt {
        Json::Object(nodes) => nodes,
        // A prompt without nodes, as ComfyUI sees it.
        Json::Array(nodes) if nodes.is_empty() => &empty,
        other => return Err(Invalid::new(problem::not_a_prompt(other))),
    };
    let outputs = output_nodes(nodes, targets, registry).map_err(Invalid::new)?;
    let mut walk = walk::Walk::new(nodes, registry, catalog, services);
    for output in &outputs {
        walk.judge(output);
    }
    let findings = walk.finish();
    let report = report::report(nodes, &outputs, &findings);
    for change in findings.changes {
        change.apply(prompt);
    }
    report
}

/// The output nodes to run, in the order of the prompt.
fn output_nodes<'a>(
    nodes: &'a Map<String, Json>,
    targets: Option<&[String]>,
    registry: &NodeRegistry,
) -> Result<Vec<&'a str>, ErrorDetail> {
    let targets: Option<HashSet<&String>> = targets.map(|targets| targets.iter().collect());
    let mut outputs = Vec::new();
    for (id, node) in nodes {
        let class_type = node
            .get("class_type")
            .ok_or_else(|| problem::missing_class_type(id))?;
        let class = class_type
            .as_str()
            .and_then(|class_type| registry.get(class_type))
            .ok_or_else(|| problem::unknown_class(id, class_type, registry))?;
        let is_target = targets.as_ref().is_none_or(|targets| targets.contains(id));
        if class.is_output_node() && is_target {
            outputs.push(id.as_str());
        }
    }
    if outputs.is_empty() {
        return Err(problem::no_outputs());
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests;
