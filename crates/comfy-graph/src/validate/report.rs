//! From what the walk found to what the client is told.

use super::walk::Findings;
use super::{Invalid, Validated, problem};
use crate::Json;
use comfy_api::error::{NodeErrors, NodeProblems};
use serde_json::Map;
use std::collections::HashSet;

/// How many nodes may be looked at to find out which outputs depend on which bad nodes.
///
/// The answer to a prompt with thousands of bad outputs over thousands of bad nodes would otherwise have millions of
/// entries. Beyond this limit a bad node names some of its outputs, and always one.
const MOST_STEPS: usize = 1_000_000;

/// How many nodes of a cycle a message names.
const LONGEST_CYCLE: usize = 10;

pub(super) fn report(
    nodes: &Map<String, Json>,
    outputs: &[&str],
    findings: &Findings<'_>,
) -> Result<Validated, Invalid> {
    let is_valid = |output: &&str| findings.verdicts.get(output).is_some_and(|v| v.valid);
    let (good, bad): (Vec<&str>, Vec<&str>) = outputs.iter().copied().partition(is_valid);
    let node_errors = node_errors(nodes, &bad, findings);
    if !good.is_empty() {
        return Ok(Validated {
            outputs: good.into_iter().map(str::to_owned).collect(),
            node_errors,
        });
    }
    Err(Invalid {
        error: problem::outputs_failed(details(&bad, findings)),
        node_errors,
    })
}

/// The complaints about the output nodes themselves, a line for each, and the cycle if there is one.
fn details(bad: &[&str], findings: &Findings<'_>) -> String {
    let verdicts = bad.iter().filter_map(|id| findings.verdicts.get(id));
    let errors = verdicts.flat_map(|verdict| &verdict.errors);
    let mut lines: Vec<_> = errors
        .map(|error| format!("{}: {}", error.message, error.details))
        .collect();
    lines.extend(findings.cycle.as_deref().map(cycle_text));
    lines.join("\n")
}

fn cycle_text(cycle: &[String]) -> String {
    let shown = &cycle[..cycle.len().min(LONGEST_CYCLE)];
    let end = match (cycle.len() - shown.len(), cycle.first()) {
        (0, Some(first)) => format!("needs {first}"),
        (more, _) => format!("and so on through {more} more nodes"),
    };
    format!(
        "Dependency cycle detected: node {} {end}",
        shown.join(" needs ")
    )
}

fn node_errors(nodes: &Map<String, Json>, bad: &[&str], findings: &Findings<'_>) -> NodeErrors {
    let mut node_errors = NodeErrors::new();
    for (&id, verdict) in &findings.verdicts {
        if !verdict.errors.is_empty() {
            let class_type = nodes.get(id).and_then(|node| node.get("class_type"));
            let problems = NodeProblems {
                errors: verdict.errors.clone(),
                dependent_outputs: Vec::new(),
                class_type: class_type
                    .and_then(Json::as_str)
                    .unwrap_or_default()
                    .to_owned(),
            };
            node_errors.insert(id.to_owned(), problems);
        }
    }
    let mut steps = 0;
    for &output in bad {
        for id in invalid_nodes_below(nodes, output, findings, &mut steps) {
            if let Some(problems) = node_errors.get_mut(id) {
                problems.dependent_outputs.push(output.to_owned());
            }
        }
    }
    for (id, problems) in &mut node_errors {
        if let (true, Some(verdict)) = (
            problems.dependent_outputs.is_empty(),
            findings.verdicts.get(id.as_str()),
        ) {
            problems.dependent_outputs.push(verdict.output.to_owned());
        }
    }
    node_errors
}

/// The invalid nodes that `output` depends on, itself included. Every path to one leads through invalid nodes only.
fn invalid_nodes_below<'a>(
    nodes: &'a Map<String, Json>,
    output: &'a str,
    findings: &Findings<'a>,
    steps: &mut usize,
) -> Vec<&'a str> {
    let mut seen = HashSet::from([output]);
    let mut found = vec![output];
    let mut next = 0;
    while let Some(&id) = found.get(next) {
        next += 1;
        *steps += 1;
        if *steps > MOST_STEPS {
            break;
        }
        let Some(node) = nodes.get(id) else { continue };
        for source in findings.invalid_sources(node) {
            if seen.insert(source) {
                found.push(source);
            }
        }
    }
    found
}
