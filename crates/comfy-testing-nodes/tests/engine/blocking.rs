//! Blockers.

use comfy_api::events::TextEvent;
use comfy_graph::{Subgraph, SubgraphNode};

use crate::bench::{Bench, POLICIES, image, show};

fn list(graph: &mut Subgraph, sources: &[SubgraphNode]) -> SubgraphNode {
    let mut list = graph.node("TestMakeListNode");
    for (index, source) in sources.iter().enumerate() {
        list = list.set(format!("value{}", index + 1), source.out(0));
    }
    list.add()
}

fn numbers(graph: &mut Subgraph, count: i64) -> SubgraphNode {
    let numbers: Vec<SubgraphNode> = (1..=count)
        .map(|number| graph.node("StubInt").set("value", number).add())
        .collect();
    list(graph, &numbers)
}

/// Blocks the value that stands at the place of the number 2.
fn blocked(graph: &mut Subgraph, values: &SubgraphNode, count: i64, verbose: bool) -> SubgraphNode {
    let numbers = numbers(graph, count);
    let is_two = graph
        .node("TestIntConditions")
        .set("a", numbers.out(0))
        .set("b", 2_i64)
        .set("operation", "==")
        .add();
    let blocker = graph
        .node("TestExecutionBlocker")
        .set("input", values.out(0));
    blocker
        .set("block", is_two.out(0))
        .set("verbose", verbose)
        .add()
}

#[test]
fn a_blocker_in_a_list_blocks_its_own_place() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let images = ["BLACK", "WHITE", "BLACK"].map(|content| image(&mut graph, content, 16));
        let images = list(&mut graph, &images);
        let rest = blocked(&mut graph, &images, 3, false);
        let again = list(&mut graph, &[rest]);
        let output = show(&mut graph, &again);
        let run = bench.run(&graph);
        assert_eq!(run.shown(&output), [[0, 0], [0, 0]], "{policy:?}");
    }
}

#[test]
fn a_blocker_with_a_message_says_it_once() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let images = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 16));
    let images = list(&mut graph, &images);
    let rest = blocked(&mut graph, &images, 2, true);
    let average = graph
        .node("TestVariadicAverage")
        .set("input1", rest.out(0))
        .add();
    show(&mut graph, &average);
    let run = bench.run(&graph);
    let messages = run.events.iter().filter_map(|event| match event {
        TextEvent::ExecutionBlocked(blocked) => {
            Some((blocked.node_id.as_str(), blocked.exception_message.as_str()))
        }
        _ => None,
    });
    assert_eq!(
        messages.collect::<Vec<_>>(),
        [(average.id(), "Execution Blocked: Blocked Execution")]
    );
}

#[test]
fn a_blocker_after_nodes_that_wait() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let slept = ["BLACK", "WHITE"].map(|content| {
        let source = image(&mut graph, content, 16);
        graph
            .node("TestSleep")
            .set("value", source.out(0))
            .set("seconds", 0.02)
            .add()
    });
    let images = list(&mut graph, &slept);
    let rest = blocked(&mut graph, &images, 2, false);
    let output = show(&mut graph, &rest);
    assert_eq!(bench.run(&graph).shown(&output), [[0, 0]]);
}
