//! Nodes that are repeated for lists.

use comfy_graph::{Subgraph, SubgraphNode};

use crate::bench::{Bench, POLICIES, image, mixed, show};

fn list(graph: &mut Subgraph, values: &[f64]) -> SubgraphNode {
    let mut list = graph.node("TestMakeListNode");
    for (index, value) in values.iter().enumerate() {
        list = list.set(format!("value{}", index + 1), *value);
    }
    list.add()
}

#[test]
fn lazy_inputs_are_asked_for_by_every_repetition() {
    for policy in POLICIES {
        let bench = Bench::new(policy);
        let mut graph = Subgraph::default();
        let values = list(&mut graph, &[0.0, 0.5, 1.0]);
        let masks = graph.node("StubMask").set("value", values.out(0));
        let masks = masks
            .set("height", 16_i64)
            .set("width", 16_i64)
            .set("batch_size", 1_i64)
            .add();
        let [dark, light] = ["BLACK", "WHITE"].map(|content| image(&mut graph, content, 16));
        let mix = mixed(&mut graph, &dark, &light, &masks);
        let output = show(&mut graph, &mix);
        assert_eq!(
            bench.run(&graph).shown(&output),
            [[0, 0], [127, 127], [255, 255]],
            "{policy:?}"
        );
    }
}

#[test]
fn lists_become_values_and_lists_again() {
    let bench = Bench::new(POLICIES[0]);
    let mut graph = Subgraph::default();
    let values = list(&mut graph, &[0.2, 0.4, 0.6]);
    let gathered = graph
        .node("TestListToAccumulationNode")
        .set("list", values.out(0))
        .add();
    let changed = graph
        .node("TestAccumulationSetItemNode")
        .set("accumulation", gathered.out(0));
    let changed = changed.set("index", -1_i64).set("value", 1.0).add();
    let spread = graph
        .node("TestAccumulationToListNode")
        .set("accumulation", changed.out(0))
        .add();
    let shades = graph.node("StubConstantImage").set("value", spread.out(0));
    let shades = shades
        .set("height", 2_i64)
        .set("width", 2_i64)
        .set("batch_size", 1_i64)
        .add();
    let output = show(&mut graph, &shades);
    assert_eq!(
        bench.run(&graph).shown(&output),
        [[51, 51], [102, 102], [255, 255]]
    );
}
