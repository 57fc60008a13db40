//! Nodes that become graphs while they run.

use comfy_graph::{Subgraph, SubgraphNode};

use crate::bench::{Bench, POLICIES, image, show};

#[test]
fn repetitions_of_a_node_may_return_values_and_graphs() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let values = graph
            .node("TestMakeListNode")
            .set("value1", 0.1)
            .set("value2", 0.2)
            .set("value3", 0.3)
            .add();
        let node = graph
            .node("TestMixedExpansionReturns")
            .set("input1", values.out(0))
            .add();
        let made = show(&mut graph, &node);
        let white = graph.node("Show").set("images", node.out(1)).add();
        let run = bench.run(&graph);
        assert_eq!(
            run.shown(&made),
            [[25, 25], [51, 51], [76, 76]],
            "{policy:?}"
        );
        assert_eq!(run.shown(&white), [[255, 255]; 3], "{policy:?}");
    }
}

#[test]
fn a_circle_in_an_expansion_is_an_error_of_the_node_of_the_prompt() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let [dark, light] = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 512));
        let node = graph
            .node("TestDynamicDependencyCycle")
            .set("input1", dark.out(0))
            .set("input2", light.out(0))
            .add();
        show(&mut graph, &node);
        let error = bench.run(&graph).error.unwrap();
        assert_eq!(error.node_id, node.id(), "{policy:?} {error:?}");
    }
}

/// Halves the light of a white picture in every round of a loop; the loop's ends and the output.
fn halving_loop(graph: &mut Subgraph) -> (SubgraphNode, SubgraphNode, SubgraphNode) {
    let [dark, light] = ["BLACK", "WHITE"].map(|content| image(graph, content, 16));
    let changing = graph
        .node("TestCustomIsChanged")
        .set("should_change", true)
        .set("image", light.out(0))
        .add();
    let open = graph
        .node("TestForLoopOpen")
        .set("remaining", 1_i64)
        .set("initial_value1", changing.out(0))
        .add();
    let average = graph
        .node("TestVariadicAverage")
        .set("input1", dark.out(0))
        .set("input2", open.out(2))
        .add();
    let close = graph
        .node("TestForLoopClose")
        .set("flow_control", open.out(0))
        .set("initial_value1", average.out(0))
        .add();
    let output = show(graph, &close);
    (open, changing, output)
}

#[test]
fn loops_unroll() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let (open, changing, output) = halving_loop(&mut graph);
        for rounds in 1..=5_i64 {
            graph.edit(&open).set("remaining", rounds);
            let run = bench.run(&graph);
            let shade = u8::try_from(255 >> rounds).unwrap();
            assert_eq!(run.shown(&output), [[shade, shade]], "{policy:?} {rounds}");
            assert!(run.did_run(&changing));
        }
    }
}

#[test]
fn loops_nest() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let [dark, light] = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 16));
        let open = |graph: &mut Subgraph, rounds: i64, source: comfy_graph::NodeOutput| {
            let open = graph.node("TestForLoopOpen").set("remaining", rounds);
            open.set("initial_value1", source).add()
        };
        let close = |graph: &mut Subgraph, open: &SubgraphNode, value: &SubgraphNode| {
            let close = graph.node("TestForLoopClose");
            let close = close.set("flow_control", open.out(0));
            close.set("initial_value1", value.out(0)).add()
        };
        let outer = open(&mut graph, 2, light.out(0));
        let inner = open(&mut graph, 3, outer.out(2));
        let average = graph.node("TestVariadicAverage").set("input1", dark.out(0));
        let average = average.set("input2", inner.out(2)).add();
        let inner_end = close(&mut graph, &inner, &average);
        let outer_end = close(&mut graph, &outer, &inner_end);
        let output = show(&mut graph, &outer_end);
        assert_eq!(
            bench.run(&graph).shown(&output),
            [[3, 3]],
            "{policy:?}: 255 halved six times"
        );
    }
}

#[test]
fn a_loop_may_test_its_own_values() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let light = image(&mut graph, "WHITE", 16);
        let open = graph.node("TestWhileLoopOpen").set("condition", true);
        let open = open.add();
        let longer = graph.node("TestAccumulateNode").set("to_add", light.out(0));
        let longer = longer.set("accumulation", open.out(1)).add();
        let length = graph.node("TestAccumulationGetLengthNode");
        let length = length.set("accumulation", longer.out(0)).add();
        let goes_on = graph.node("TestIntConditions").set("operation", "<");
        let goes_on = goes_on.set("a", length.out(0)).set("b", 4_i64).add();
        let close = graph
            .node("TestWhileLoopClose")
            .set("flow_control", open.out(0));
        let close = close
            .set("condition", goes_on.out(0))
            .set("initial_value0", longer.out(0))
            .add();
        let spread = graph
            .node("TestAccumulationToListNode")
            .set("accumulation", close.out(0))
            .add();
        let output = show(&mut graph, &spread);
        assert_eq!(
            bench.run(&graph).shown(&output),
            [[255, 255]; 4],
            "{policy:?}"
        );
    }
}

#[test]
fn forty_rounds_are_not_too_many() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let (open, _, output) = halving_loop(&mut graph);
    graph.edit(&open).set("remaining", 40_i64);
    assert_eq!(bench.run(&graph).shown(&output), [[0, 0]]);
}

#[test]
fn nodes_of_an_expansion_wait_at_the_same_time() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let sources = ["BLACK", "WHITE", "WHITE"].map(|content| image(&mut graph, content, 16));
        let mut node = graph.node("TestParallelSleep");
        for (index, source) in sources.iter().enumerate() {
            let number = index + 1;
            node = node
                .set(format!("image{number}"), source.out(0))
                .set(format!("sleep{number}"), 0.1);
        }
        let node = node.add();
        let output = show(&mut graph, &node);
        let run = bench.run(&graph);
        assert_eq!(run.shown(&output), [[170, 170]], "{policy:?}");
        assert!(run.did_run(&node));
    }
}

#[test]
fn a_number_of_nodes_that_is_only_known_while_running() {
    let bench = Bench::new(POLICIES[0]);
    for (count, shade) in [(1, 0), (4, 127), (5, 102)] {
        let mut graph = Subgraph::default();
        let [dark, light] = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 16));
        let node = graph
            .node("TestDynamicAsyncGeneration")
            .set("image1", dark.out(0))
            .set("image2", light.out(0));
        let node = node
            .set("num_async_nodes", i64::from(count))
            .set("sleep_duration", 0.1)
            .add();
        let output = show(&mut graph, &node);
        assert_eq!(
            bench.run(&graph).shown(&output),
            [[shade, shade]],
            "{count}"
        );
    }
}
