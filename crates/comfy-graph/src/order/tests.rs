#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::{Json, NodeClass, NodeError, OutputSpec, Prompt, SchemaBuilder, SocketType};
use proptest::prelude::*;
use serde_json::{Map, json};

fn registry() -> NodeRegistry {
    let class = |id: &'static str, output: bool| {
        let lazy = {
            let mut input = crate::InputSpec::dynamic(
                "lazy",
                SocketType::Named("*".into()),
                crate::Section::Optional,
            );
            input.settings.insert("lazy".into(), json!(true));
            input
        };
        let schema = SchemaBuilder::new(id, "A toy.", "tests")
            .input_spec(lazy)
            .output_node(output)
            .output(OutputSpec {
                socket: SocketType::Named("*".into()),
                name: "*".into(),
                tooltip: None,
                is_list: false,
            })
            .build();
        NodeClass::new(
            "tests",
            move |_| schema.clone(),
            |_, _| Err(NodeError::runtime("a toy")),
        )
    };
    let mut registry = NodeRegistry::new();
    registry.register_class(class("Work", false)).unwrap();
    registry.register_class(class("Save", true)).unwrap();
    registry
}

/// A prompt of `id class source source …` lines.
fn graph(lines: &[&str]) -> Graph {
    let mut nodes = Map::new();
    for line in lines {
        let mut words = line.split_whitespace();
        let (id, class) = (words.next().unwrap(), words.next().unwrap());
        let inputs: Map<_, _> = words
            .enumerate()
            .map(|(index, source)| match source.strip_prefix('~') {
                Some(source) => ("lazy".to_owned(), json!([source, 0])),
                None => (format!("i{index}"), json!([source, 0])),
            })
            .collect();
        nodes.insert(id.into(), json!({"class_type": class, "inputs": inputs}));
    }
    Graph::new(Prompt::from_json(&Json::Object(nodes)).unwrap())
}

fn run(graph: &Graph, outputs: &[&str], cached: &[&str]) -> Result<Vec<String>, DependencyCycle> {
    let registry = registry();
    let mut pending = PendingGraph::new(&registry);
    for output in outputs.iter().filter_map(|id| graph.position(id)) {
        pending.add(graph, output, |node| cached.contains(&name(graph, node)));
    }
    let mut order = Vec::new();
    while let Next::Run(node) = pending.next(graph)? {
        order.push(name(graph, node).to_owned());
        pending.complete(node);
    }
    assert!(pending.is_empty());
    Ok(order)
}

fn name(graph: &Graph, node: usize) -> &str {
    graph.at(node).unwrap().0
}

fn places<const N: usize>(graph: &Graph, ids: [&str; N]) -> [usize; N] {
    ids.map(|id| graph.position(id).unwrap())
}

#[test]
fn the_default_workflow() {
    let graph = graph(&[
        "3 Work 4 6 7 5",
        "4 Work",
        "5 Work",
        "6 Work 4",
        "7 Work 4",
        "8 Work 3 4",
        "9 Save 8",
    ]);
    assert_eq!(
        run(&graph, &["9"], &[]).unwrap(),
        ["4", "5", "7", "6", "3", "8", "9"]
    );
    assert_eq!(run(&graph, &["9"], &["3", "4"]).unwrap(), ["8", "9"]);
    assert_eq!(run(&graph, &["9"], &["8"]).unwrap(), ["9"]);
}

#[test]
fn what_is_near_an_output_comes_first() {
    // "far" was added first, "vae" is two steps from an output, "decode" one.
    let graph = graph(&[
        "far Work",
        "a Work far",
        "b Work a",
        "c Work b",
        "save1 Save c",
        "vae Work",
        "decode Work vae",
        "save2 Save decode",
        "save3 Save",
    ]);
    assert_eq!(
        run(&graph, &["save1", "save2", "save3"], &[]).unwrap(),
        [
            "save3", "vae", "decode", "save2", "far", "a", "b", "c", "save1"
        ]
    );
}

#[test]
fn lazy_and_unknown_sources_are_not_added() {
    let graph = graph(&["1 Work", "2 Save ~1 nowhere"]);
    assert_eq!(run(&graph, &["2", "unknown"], &[]).unwrap(), ["2"]);
}

#[test]
fn an_output_added_later_still_counts() {
    let graph = graph(&[
        "1 Work", "2 Work", "3 Work 2", "4 Work 3", "5 Save 4", "6 Save 1",
    ]);
    let registry = registry();
    let mut pending = PendingGraph::new(&registry);
    let [one, two, five, six] = places(&graph, ["1", "2", "5", "6"]);
    pending.add(&graph, five, |_| false);
    assert_eq!(pending.next(&graph), Ok(Next::Run(two)));
    assert_eq!(pending.add(&graph, six, |_| false), [six, one]);
    assert_eq!(pending.next(&graph), Ok(Next::Run(one)));
    assert_eq!(pending.len(), 6);
}

#[test]
fn a_node_may_find_that_it_needs_more() {
    let graph = graph(&["1 Work", "2 Work 1", "3 Save ~2", "4 Work", "5 Work 4"]);
    let registry = registry();
    let mut pending = PendingGraph::new(&registry);
    let [one, two, three, four, five] = places(&graph, ["1", "2", "3", "4", "5"]);
    pending.add(&graph, three, |_| false);
    pending.add(&graph, five, |_| false);
    assert_eq!(pending.next(&graph), Ok(Next::Run(three)));
    assert_eq!(pending.require(&graph, two, three, |_| false), [two, one]);
    // What feeds the output goes before the node that was there first.
    assert_eq!(pending.next(&graph), Ok(Next::Run(one)));
    pending.complete(one);
    assert_eq!(pending.next(&graph), Ok(Next::Run(two)));
    pending.complete(two);
    // It has the turn that it had.
    assert_eq!(pending.next(&graph), Ok(Next::Run(three)));
    // Nothing is added when the result is known.
    assert_eq!(pending.require(&graph, two, three, |_| true), [0; 0]);
    pending.complete(three);
    assert_eq!(pending.next(&graph), Ok(Next::Run(four)));
    // A node that has run can be asked to run again.
    pending.complete(four);
    assert_eq!(pending.require(&graph, four, five, |_| false), [four]);
    assert_eq!(pending.next(&graph), Ok(Next::Run(four)));
    pending.complete(four);
    pending.complete(five);
    assert_eq!(pending.next(&graph), Ok(Next::Done));
}

#[test]
fn what_goes_on_beside_others_is_waited_for() {
    let graph = graph(&["1 Work", "2 Work", "3 Save 1 2"]);
    let registry = registry();
    let mut pending = PendingGraph::new(&registry);
    let [one, two, three] = places(&graph, ["1", "2", "3"]);
    pending.add(&graph, three, |_| false);
    assert_eq!(pending.next(&graph), Ok(Next::Run(two)));
    pending.block(two);
    assert_eq!(pending.next(&graph), Ok(Next::Run(one)));
    pending.complete(one);
    assert_eq!(pending.next(&graph), Ok(Next::Wait));
    pending.release(two);
    assert_eq!(pending.next(&graph), Ok(Next::Run(two)));
    pending.complete(two);
    assert_eq!(pending.next(&graph), Ok(Next::Run(three)));
}

#[test]
fn a_cycle_is_an_error() {
    let graph = graph(&["1 Work 2", "2 Work 3", "3 Work 2", "4 Save 1"]);
    let mut cycle = run(&graph, &["4"], &[]).unwrap_err().nodes;
    cycle.sort();
    assert_eq!(cycle, ["2", "3"]);
}

#[test]
fn a_hundred_thousand_nodes() {
    let mut lines = vec!["0 Work".to_owned()];
    lines.extend((1..100_000).map(|node| format!("{node} Work {} {}", node - 1, node / 2)));
    lines.push("save Save 99999".into());
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let order = run(&graph(&lines), &["save"], &[]).unwrap();
    assert_eq!(order.len(), 100_001);
}

proptest! {
    #[test]
    fn the_order_is_topological(
        links in prop::collection::vec((0_usize..40, 0_usize..40), 0..120),
        outputs in prop::collection::vec(0_usize..40, 1..6),
        cached in prop::collection::hash_set(0_usize..40, 0..10),
    ) {
        let mut lines: Vec<String> = (0..40).map(|node| {
            let class = if outputs.contains(&node) { "Save" } else { "Work" };
            format!("{node} {class}")
        }).collect();
        for (a, b) in &links {
            // Links go from lower to higher nodes, so that there is no cycle.
            let (source, node) = (a.min(b), a.max(b));
            if source != node {
                lines[*node].extend([" ", source.to_string().as_str()]);
            }
        }
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let graph = graph(&lines);
        let outputs: Vec<_> = outputs.iter().map(usize::to_string).collect();
        let outputs: Vec<_> = outputs.iter().map(String::as_str).collect();
        let cached: Vec<_> = cached.iter().map(usize::to_string).collect();
        let cached: Vec<_> = cached.iter().map(String::as_str).collect();
        let order = run(&graph, &outputs, &cached).unwrap();
        let place = |id: &str| order.iter().position(|other| other == id);

        let mut distinct = order.clone();
        distinct.sort();
        distinct.dedup();
        prop_assert_eq!(distinct.len(), order.len());
        for output in &outputs {
            prop_assert!(place(output).is_some());
        }
        for id in &order {
            for (_, link) in graph.node(id).unwrap().links() {
                let is_before = place(&link.node).is_some_and(|source| Some(source) < place(id));
                prop_assert!(is_before || cached.contains(&link.node.as_str()), "{} before {}", link.node, id);
            }
        }
    }
}
