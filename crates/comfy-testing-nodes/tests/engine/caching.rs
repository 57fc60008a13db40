//! What is computed again, and what is not.

use comfy_exec::CachePolicy;
use comfy_graph::Subgraph;

use crate::bench::{Bench, image, mask, mixed, show};

const KEEPING: [CachePolicy; 2] = [CachePolicy::Classic, CachePolicy::Lru(100)];

#[test]
fn an_equal_prompt_runs_nothing() {
    for policy in KEEPING {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let dark = image(&mut graph, "BLACK", 16);
        let noise = image(&mut graph, "NOISE", 16);
        let half = mask(&mut graph, 0.5);
        let mix = mixed(&mut graph, &dark, &noise, &half);
        let output = show(&mut graph, &mix);
        let first = bench.run(&graph);
        let second = bench.run(&graph);
        assert_eq!(second.ran, [].into(), "{policy:?}");
        assert_eq!(first.shown(&output), second.shown(&output));

        graph.edit(&half).set("value", 0.4);
        let third = bench.run(&graph);
        assert!(
            !third.did_run(&dark) && !third.did_run(&noise) && third.did_run(&mix),
            "{policy:?} {:?}",
            third.ran
        );
    }
    let bench = Bench::new(CachePolicy::None);
    let mut graph = Subgraph::default();
    let dark = image(&mut graph, "BLACK", 16);
    show(&mut graph, &dark);
    assert!(bench.run(&graph).did_run(&dark) && bench.run(&graph).did_run(&dark));
}

#[test]
fn a_fingerprint_decides() {
    for policy in KEEPING {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        // The consumer stands before its sources in the prompt.
        let output = graph.node("Show").add();
        let changing = graph
            .node("TestCustomIsChanged")
            .set("should_change", false)
            .add();
        let source = image(&mut graph, "BLACK", 16);
        graph.edit(&output).set("images", changing.out(0));
        graph.edit(&changing).set("image", source.out(0));
        let did_run = || bench.run(&graph).did_run(&changing);
        assert_eq!([did_run(), did_run()], [true, false], "{policy:?}");
        graph.edit(&changing).set("should_change", true);
        let did_run = || bench.run(&graph).did_run(&changing);
        assert_eq!([did_run(), did_run()], [true, true], "{policy:?}");
    }
}

#[test]
fn a_fingerprint_sees_nothing_that_comes_along_wires() {
    for policy in KEEPING {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = graph.node("StubConstantImage").set("value", 0.5);
        let source = source
            .set("height", 16_i64)
            .set("width", 16_i64)
            .set("batch_size", 1_i64)
            .add();
        let scaled = graph
            .node("TestIsChangedWithConstants")
            .set("image", source.out(0))
            .set("value", 0.5)
            .add();
        let output = show(&mut graph, &scaled);
        assert_eq!(bench.run(&graph).shown(&output), [[63, 63]]);
        let again = bench.run(&graph);
        assert_eq!(
            (again.shown(&output), again.did_run(&scaled)),
            (&[[63, 63]][..], false)
        );
    }
}

#[test]
fn nodes_that_wait_are_cached_too() {
    for policy in KEEPING {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "BLACK", 16);
        let slept = graph
            .node("TestSleep")
            .set("value", source.out(0))
            .set("seconds", 0.02)
            .add();
        show(&mut graph, &slept);
        assert!(bench.run(&graph).did_run(&slept));
        assert!(!bench.run(&graph).did_run(&slept));
    }
}

#[test]
fn two_outputs_share_their_source() {
    let bench = Bench::new(CachePolicy::Classic);
    let mut graph = Subgraph::default();
    let source = image(&mut graph, "BLACK", 16);
    let outputs = [show(&mut graph, &source), show(&mut graph, &source)];
    let run = bench.run(&graph);
    for output in &outputs {
        assert_eq!(run.shown(output), [[0, 0]]);
    }
}
