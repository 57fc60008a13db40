//! Nodes that check their inputs before anything runs.

use comfy_graph::{Json, PromptInput, Subgraph};
use serde_json::json;

use crate::bench::{Bench, POLICIES, image, mask, mixed, show};

/// Whether a graph with this node, shown, is refused.
fn refused(bench: &Bench, class: &str, inputs: &[(&str, Json)]) -> bool {
    let mut graph = Subgraph::default();
    let mut node = graph.node(class);
    for (name, value) in inputs {
        node = node.set(*name, PromptInput::Constant(value.clone()));
    }
    let node = node.add();
    let output = show(&mut graph, &node);
    if bench.refuses(&graph) {
        return true;
    }
    assert!(!bench.run(&graph).shown(&output).is_empty());
    false
}

#[test]
fn values_of_inputs_with_several_types_come_as_they_are() {
    let bench = Bench::new(POLICIES[0]);
    for (value, expected) in [(json!(5), true), (json!("foo"), true), (json!(5.0), false)] {
        let inputs = [("input1", value.clone()), ("input2", json!(3.0))];
        assert_eq!(
            refused(&bench, "TestCustomValidation1", &inputs),
            expected,
            "{value}"
        );
    }
}

#[test]
fn links_are_judged_by_the_engine_or_by_the_node() {
    let bench = Bench::new(POLICIES[0]);
    for class in [
        "TestCustomValidation1",
        "TestCustomValidation2",
        "TestCustomValidation3",
        "TestCustomValidation4",
    ] {
        for (source, value, expected) in [
            ("StubInt", json!(5), true),
            ("StubFloat", json!(5.0), false),
        ] {
            let mut graph = Subgraph::default();
            let source = graph
                .node(source)
                .set("value", PromptInput::Constant(value))
                .add();
            let node = graph
                .node(class)
                .set("input1", source.out(0))
                .set("input2", 3.0)
                .add();
            let output = show(&mut graph, &node);
            assert_eq!(bench.refuses(&graph), expected, "{class}");
            if !expected {
                assert_eq!(bench.run(&graph).shown(&output), [[255, 255]], "{class}");
            }
        }
        let mut graph = Subgraph::default();
        let source = mask(&mut graph, 0.5);
        let node = graph
            .node(class)
            .set("input1", source.out(0))
            .set("input2", 3.0)
            .add();
        show(&mut graph, &node);
        assert!(bench.refuses(&graph), "{class}");
    }
}

#[test]
fn a_check_of_all_inputs_replaces_their_ranges() {
    let bench = Bench::new(POLICIES[0]);
    for (value, expected) in [(0.5, false), (5.0, false), (7.0, true)] {
        let inputs = [("input1", json!(0.0)), ("input2", json!(value))];
        assert_eq!(
            refused(&bench, "TestCustomValidation5", &inputs),
            expected,
            "{value}"
        );
    }
}

#[test]
fn a_check_compares_inputs() {
    let bench = Bench::new(POLICIES[0]);
    for (class, limit) in [
        ("TestAsyncValidation", "threshold"),
        ("TestAsyncValidationError", "max_value"),
    ] {
        for (greatest, expected) in [(10.0, false), (3.0, true)] {
            let inputs = [("value", json!(5.0)), (limit, json!(greatest))];
            assert_eq!(
                refused(&bench, class, &inputs),
                expected,
                "{class} {greatest}"
            );
        }
    }
}

#[test]
fn a_circle_in_the_prompt_is_refused() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let dark = image(&mut graph, "BLACK", 16);
    let half = mask(&mut graph, 0.5);
    let first = mixed(&mut graph, &dark, &dark, &half);
    let second = mixed(&mut graph, &first, &dark, &half);
    graph.edit(&first).set("image2", second.out(0));
    show(&mut graph, &second);
    assert!(bench.refuses(&graph));

    let mut incomplete = Subgraph::default();
    let dark = image(&mut incomplete, "BLACK", 16);
    let mix = incomplete
        .node("TestLazyMixImages")
        .set("image1", dark.out(0))
        .add();
    show(&mut incomplete, &mix);
    assert!(bench.refuses(&incomplete));
}
