//! Running only some of the output nodes.

use comfy_graph::{Subgraph, SubgraphNode};

use crate::bench::{Bench, POLICIES, image, mask, mixed, show};

fn scaled(graph: &mut Subgraph, source: &SubgraphNode, value: f64) -> SubgraphNode {
    graph
        .node("TestOutputNodeWithSocketOutput")
        .set("image", source.out(0))
        .set("value", value)
        .add()
}

#[test]
fn only_what_the_chosen_outputs_need_runs() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let sources = ["BLACK", "WHITE", "NOISE"].map(|content| image(&mut graph, content, 16));
        let outputs: Vec<SubgraphNode> = sources
            .iter()
            .map(|source| show(&mut graph, source))
            .collect();
        let run = bench.run_only(&graph, &[&outputs[0], &outputs[2]]);
        for (index, expected) in [(0, true), (1, false), (2, true)] {
            assert_eq!(
                run.was_computed(&sources[index]),
                expected,
                "{policy:?} {index}"
            );
            assert_eq!(
                run.was_computed(&outputs[index]),
                expected,
                "{policy:?} {index}"
            );
            assert_eq!(run.shown(&outputs[index]).len(), usize::from(expected));
        }
    }
}

#[test]
fn an_output_node_that_others_need_runs_for_them() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let source = image(&mut graph, "WHITE", 16);
        let first = scaled(&mut graph, &source, 0.5);
        let second = scaled(&mut graph, &first, 0.5);
        let [unwanted, wanted] = [&first, &second].map(|node| show(&mut graph, node));
        let run = bench.run_only(&graph, &[&wanted]);
        assert_eq!(run.shown(&wanted), [[63, 63]]);
        assert!(
            run.was_computed(&first) && run.was_computed(&second) && !run.did_run(&unwanted),
            "{policy:?}"
        );
    }
}

#[test]
fn lazy_inputs_stay_lazy() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let [dark, light, noise] =
        ["BLACK", "WHITE", "NOISE"].map(|content| image(&mut graph, content, 16));
    let [none, half] = [0.0, 0.5].map(|value| mask(&mut graph, value));
    let first = mixed(&mut graph, &dark, &light, &none);
    let second = mixed(&mut graph, &light, &noise, &half);
    let [wanted, unwanted] = [&first, &second].map(|node| show(&mut graph, node));
    let run = bench.run_only(&graph, &[&wanted]);
    for node in [&dark, &none, &first, &wanted] {
        assert!(run.was_computed(node), "{}", node.id());
    }
    for node in [&light, &noise, &half, &second, &unwanted] {
        assert!(!run.did_run(node), "{}", node.id());
    }
}

#[test]
fn no_output_is_no_prompt() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let source = image(&mut graph, "BLACK", 16);
    show(&mut graph, &source);
    assert!(bench.submit(&graph, "me", Some(&[])).is_err());
}
