//! Nodes that wait while others run.

use comfy_api::events::TextEvent;
use comfy_graph::{Subgraph, SubgraphNode};

use crate::bench::{Bench, POLICIES, Run, image, mask, mixed, show};

fn slept(graph: &mut Subgraph, source: &SubgraphNode, seconds: f64) -> SubgraphNode {
    graph
        .node("TestSleep")
        .set("value", source.out(0))
        .set("seconds", seconds)
        .add()
}

/// Where the first event of a kind about a node stands in the story of a prompt.
fn place(run: &Run, is_it: impl Fn(&TextEvent) -> bool) -> usize {
    run.events
        .iter()
        .position(is_it)
        .unwrap_or_else(|| panic!("no such event in {:?}", run.events))
}

fn start(run: &Run, node: &SubgraphNode) -> usize {
    place(
        run,
        |event| matches!(event, TextEvent::Executing(executing) if executing.node.as_deref() == Some(node.id())),
    )
}

#[test]
fn nodes_wait_at_the_same_time() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        let waits = [0.2, 0.3, 0.1].map(|seconds| slept(&mut graph, &source, seconds));
        let outputs = [0, 1, 2].map(|index: usize| show(&mut graph, &waits[index]));
        let run = bench.run(&graph);
        let last_start = waits.iter().map(|node| start(&run, node)).max().unwrap();
        let ends = outputs.each_ref().map(|node| start(&run, node));
        assert!(
            ends.iter().all(|end| *end > last_start),
            "{policy:?}: all begin before the first has ended"
        );
        assert!(
            ends[2] < ends[0] && ends[0] < ends[1],
            "{policy:?}: they end in the order of their waits: {ends:?}"
        );
    }
}

#[test]
fn nodes_that_wait_and_others_follow_each_other() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let [dark, light] = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 16));
        let half = mask(&mut graph, 0.5);
        let mix = mixed(&mut graph, &dark, &light, &half);
        let first = slept(&mut graph, &mix, 0.05);
        let checked = graph
            .node("TestCustomValidation1")
            .set("input1", first.out(0))
            .set("input2", 0.5)
            .add();
        let second = slept(&mut graph, &checked, 0.05);
        let output = show(&mut graph, &second);
        let run = bench.run(&graph);
        assert_eq!(run.shown(&output), [[63, 63]], "{policy:?}");
        let starts = [&mix, &first, &checked, &second, &output].map(|node| start(&run, node));
        assert!(starts.is_sorted(), "{starts:?}");
    }
}

#[test]
fn what_is_not_asked_for_does_not_wait() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let [dark, light] = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 16));
    let [first, second] = [&dark, &light].map(|source| slept(&mut graph, source, 0.05));
    let none = mask(&mut graph, 0.0);
    let mix = mixed(&mut graph, &first, &second, &none);
    show(&mut graph, &mix);
    let run = bench.run(&graph);
    assert!(run.did_run(&first) && !run.did_run(&second));
}

#[test]
fn failures_while_waiting_name_their_node() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        let failing = graph
            .node("TestAsyncError")
            .set("value", source.out(0))
            .set("error_after", 0.05)
            .add();
        show(&mut graph, &failing);
        let error = bench.run(&graph).error.unwrap();
        assert_eq!(
            (error.node_id.as_str(), error.exception_type.as_str()),
            (failing.id(), "RuntimeError")
        );

        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        let late = graph
            .node("TestAsyncTimeout")
            .set("value", source.out(0))
            .set("timeout", 0.1)
            .set("operation_time", 10.0)
            .add();
        show(&mut graph, &late);
        let error = bench.run(&graph).error.unwrap();
        assert!(
            error.node_id == late.id() && error.exception_message.contains("timeout"),
            "{error:?}"
        );

        let mut graph = Subgraph::default();
        let source = image(&mut graph, "WHITE", 16);
        let well = slept(&mut graph, &source, 0.02);
        let output = show(&mut graph, &well);
        assert_eq!(
            bench.run(&graph).shown(&output),
            [[255, 255]],
            "{policy:?}: the engine goes on"
        );
    }
}

#[test]
fn a_failure_ends_those_that_wait() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        // Far longer than the test's patience.
        let waiting = slept(&mut graph, &source, 9000.0);
        let failing = graph
            .node("TestSyncError")
            .set("value", source.out(0))
            .add();
        show(&mut graph, &waiting);
        show(&mut graph, &failing);
        assert_eq!(
            bench.run(&graph).error.unwrap().node_id,
            failing.id(),
            "{policy:?}"
        );
    }
}

#[test]
fn an_interrupt_ends_those_that_wait() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let source = image(&mut graph, "BLACK", 16);
    let waiting = slept(&mut graph, &source, 9000.0);
    let never = show(&mut graph, &waiting);
    let prompt_id = bench.submit(&graph, "me", None).unwrap();
    while bench
        .engine
        .running()
        .and_then(|running| running.node)
        .as_deref()
        != Some(waiting.id())
    {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    bench.engine.interrupt(None);
    let run = bench.wait(&prompt_id, "me");
    assert!(run.error.is_none() && !run.did_run(&never));
    assert!(
        run.events
            .iter()
            .any(|event| matches!(event, TextEvent::ExecutionInterrupted(_)))
    );
}

#[test]
fn resources_are_given_back() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        for number in 0..5 {
            let user = graph
                .node("TestAsyncResourceUser")
                .set("value", source.out(0))
                .set("duration", 0.02);
            let user = user
                .set("resource_id", format!("{policy:?} {number}"))
                .add();
            show(&mut graph, &user);
        }
        for _ in 0..2 {
            assert!(bench.run(&graph).error.is_none(), "{policy:?}");
        }
    }
}

#[test]
fn as_many_wait_as_a_node_allows() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let source = image(&mut graph, "WHITE", 16);
    let outputs = [0, 1, 2, 3, 4].map(|number: i64| {
        let limited = graph
            .node("TestAsyncConcurrentLimit")
            .set("value", source.out(0))
            .set("duration", 0.1);
        let limited = limited.set("node_id", number).add();
        show(&mut graph, &limited)
    });
    let run = bench.run(&graph);
    for output in &outputs {
        assert_eq!(run.shown(output), [[255, 255]]);
    }
}

#[test]
fn nodes_tell_how_far_they_are() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let source = graph
        .node("StubImage")
        .set("content", "BLACK")
        .set("height", 4_i64)
        .set("width", 4_i64)
        .set("batch_size", 3_i64)
        .add();
    let node = graph
        .node("TestAsyncBatchProcessing")
        .set("images", source.out(0))
        .set("process_time_per_item", 0.02)
        .add();
    let output = show(&mut graph, &node);
    let run = bench.run(&graph);
    assert_eq!(run.shown(&output), [[255, 255]; 3]);
    let steps = run.events.iter().filter_map(|event| match event {
        TextEvent::Progress(progress) if progress.node == node.id() => Some(
            serde_json::to_value(&progress.value)
                .unwrap()
                .as_f64()
                .unwrap(),
        ),
        _ => None,
    });
    assert_eq!(steps.collect::<Vec<_>>(), [1.0, 2.0, 3.0]);

    for class in ["TestAsyncProgressUpdate", "TestSyncProgressUpdate"] {
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        let node = graph
            .node(class)
            .set("value", source.out(0))
            .set("sleep_seconds", 0.1)
            .add();
        show(&mut graph, &node);
        let run = bench.run(&graph);
        let steps = run.events.iter().filter(
            |event| matches!(event, TextEvent::Progress(progress) if progress.node == node.id()),
        );
        assert!(steps.count() > 1, "{class}");
    }
}
