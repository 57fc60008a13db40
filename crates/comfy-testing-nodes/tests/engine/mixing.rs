//! Lazy and undeclared inputs, and what fails.

use comfy_graph::Subgraph;

use crate::bench::{Bench, POLICIES, image, mask, mixed, show};

#[test]
fn only_the_pictures_that_show_are_computed() {
    for policy in POLICIES {
        for (value, shade, needed) in [
            (0.0, 0, [true, false]),
            (1.0, 255, [false, true]),
            (0.5, 127, [true, true]),
        ] {
            let bench = Bench::new(policy);
            let mut graph = Subgraph::default();
            let dark = image(&mut graph, "BLACK", 16);
            let light = image(&mut graph, "WHITE", 16);
            let mask = mask(&mut graph, value);
            let mix = mixed(&mut graph, &dark, &light, &mask);
            let output = show(&mut graph, &mix);
            let run = bench.run(&graph);
            assert_eq!(run.shown(&output), [[shade, shade]], "{policy:?} {value}");
            assert_eq!(
                [run.did_run(&dark), run.did_run(&light)],
                needed,
                "{policy:?} {value}"
            );
            assert!(run.did_run(&mask) && run.did_run(&mix));
        }
    }
}

#[test]
fn a_lazy_input_may_stand_in_the_prompt() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let asked = graph
        .node("TestAsyncLazyCheck")
        .set("input1", "value1")
        .set("input2", "value2")
        .set("condition", true)
        .add();
    let output = show(&mut graph, &asked);
    assert_eq!(bench.run(&graph).shown(&output), [[255, 255]]);
}

#[test]
fn undeclared_links_reach_a_node_that_takes_them() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let sources =
        ["BLACK", "WHITE", "BLACK", "BLACK"].map(|content| image(&mut graph, content, 16));
    let mut average = graph.node("TestVariadicAverage");
    for (index, source) in sources.iter().enumerate() {
        average = average.set(format!("input{}", index + 1), source.out(0));
    }
    let average = average.add();
    let output = show(&mut graph, &average);
    assert_eq!(bench.run(&graph).shown(&output), [[63, 63]]);
}

#[test]
fn a_failure_names_the_node() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let large = image(&mut graph, "BLACK", 16);
        let small = image(&mut graph, "NOISE", 8);
        let mask = mask(&mut graph, 0.5);
        let mix = mixed(&mut graph, &large, &small, &mask);
        show(&mut graph, &mix);
        let error = bench.run(&graph).error.unwrap();
        assert_eq!(
            (error.node_id.as_str(), error.node_type.as_str()),
            (mix.id(), "TestLazyMixImages")
        );
        assert!(
            error.exception_message.contains("16") && error.exception_message.contains('8'),
            "{error:?}"
        );
    }
}

#[test]
fn a_bad_output_does_not_keep_a_good_one_from_running() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let dark = image(&mut graph, "BLACK", 16);
    let light = image(&mut graph, "WHITE", 16);
    let mask = mask(&mut graph, 1.0);
    let mix = mixed(&mut graph, &dark, &light, &mask);
    let good = show(&mut graph, &mix);
    let missing = comfy_graph::NodeOutput {
        node: "nobody".to_owned(),
        slot: 0,
    };
    let bad = graph.node("Show").set("images", missing).add();
    let run = bench.run(&graph);
    assert_eq!(run.shown(&good), [[255, 255]]);
    assert!(!run.did_run(&bad));
}
