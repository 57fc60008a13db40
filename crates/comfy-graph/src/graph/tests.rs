#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use serde_json::json;

fn graph() -> Graph {
    let prompt = json!({
        "1": {"class_type": "A", "inputs": {}},
        "2": {"class_type": "A", "inputs": {"x": ["1", 0]}},
    });
    Graph::new(Prompt::from_json(&prompt).unwrap())
}

/// Adds nodes with these names, each with the id with which it is shown.
fn expand(graph: &mut Graph, parent: &str, nodes: &[(&str, Option<&str>)]) {
    let mut subgraph = Subgraph::new(format!("{parent}.0.0."));
    for (id, display) in nodes {
        let mut node = subgraph.node("A").id(*id);
        if let Some(display) = display {
            node = node.display(*display);
        }
        node.add();
    }
    let before = graph.len();
    graph.expand(parent, subgraph, before).unwrap();
}

#[test]
fn every_node_knows_where_it_comes_from() {
    let mut graph = graph();
    expand(
        &mut graph,
        "2",
        &[("a", None), ("b", Some("1")), ("c", Some("2.0.0.b"))],
    );
    expand(
        &mut graph,
        "2.0.0.a",
        &[("d", None), ("e", Some("2.0.0.b"))],
    );
    let origin = |id: &'static str| (graph.parent_id(id), graph.real_id(id), graph.display_id(id));
    assert_eq!(origin("1"), (None, "1", "1"));
    assert_eq!(origin("2.0.0.a"), (Some("2"), "2", "2"));
    assert_eq!(origin("2.0.0.b"), (Some("2"), "2", "1"));
    assert_eq!(origin("2.0.0.c"), (Some("2"), "2", "1"));
    assert_eq!(origin("2.0.0.a.0.0.d"), (Some("2.0.0.a"), "2", "2"));
    assert_eq!(origin("2.0.0.a.0.0.e"), (Some("2.0.0.a"), "2", "1"));
    assert_eq!(origin("unknown"), (None, "unknown", "unknown"));
    assert_eq!((graph.given(), graph.len()), (2, 7));
}

#[test]
fn nodes_that_are_shown_with_each_other_do_not_hang() {
    let mut graph = graph();
    expand(
        &mut graph,
        "2",
        &[
            ("a", Some("2.0.0.b")),
            ("b", Some("2.0.0.a")),
            ("c", Some("2.0.0.c")),
        ],
    );
    for id in ["2.0.0.a", "2.0.0.b", "2.0.0.c"] {
        assert!(graph.display_id(id).starts_with("2.0.0."));
    }
}

#[test]
fn an_id_is_used_once() {
    let mut graph = graph();
    let mut twice = Subgraph::new("2.0.0.");
    twice.node("A").id("x").add();
    twice.node("A").id("x").add();
    assert_eq!(graph.expand("2", twice, 2).unwrap_err().id, "2.0.0.x");
    let mut taken = Subgraph::new("");
    taken.node("A").add();
    assert_eq!(graph.expand("2", taken, 2).unwrap_err().id, "1");
    assert_eq!(graph.len(), 2);
}

#[test]
fn a_node_that_runs_again_replaces_what_it_added() {
    let mut graph = graph();
    expand(&mut graph, "2", &[("a", None), ("b", None)]);
    let again = |class: &str, id: &str| {
        let mut subgraph = Subgraph::new("2.0.0.");
        subgraph.node(class).id(id).add();
        subgraph
    };
    let before = graph.len();
    assert_eq!(graph.expand("2", again("B", "b"), before), Ok(4..4));
    assert_eq!(graph.expand("2", again("B", "c"), before), Ok(4..5));
    assert_eq!(graph.node("2.0.0.a").unwrap().class_type, "A");
    assert_eq!(graph.node("2.0.0.b").unwrap().class_type, "B");
    // Not within one run, and not what another node added.
    assert!(graph.expand("2", again("C", "c"), before).is_err());
    assert!(graph.expand("1", again("C", "b"), graph.len()).is_err());
    assert_eq!(graph.node("2.0.0.b").unwrap().class_type, "B");
}

#[test]
fn subgraphs_can_be_changed_while_they_are_built() {
    let mut subgraph = Subgraph::new("p.");
    let first = subgraph.node("A").set("x", "text").add();
    let second = subgraph
        .node("B")
        .set("x", first.out(1))
        .set_if("y", None::<i64>)
        .add();
    subgraph.edit(&first).set("y", second.out(0)).unset("x");
    subgraph
        .edit(&second)
        .set_if("x", None::<i64>)
        .set_if("z", Some(1_i64));
    assert_eq!((first.id(), second.id()), ("p.1", "p.2"));
    assert_eq!(subgraph.find("2"), Some(second));
    assert_eq!(subgraph.find("3"), None);
    assert_eq!(
        subgraph.to_json().unwrap(),
        json!({
            "p.1": {"class_type": "A", "inputs": {"y": ["p.2", 0]}},
            "p.2": {"class_type": "B", "inputs": {"z": 1}},
        })
    );
    let nodes = subgraph.into_nodes().unwrap();
    let names = |id: &str| nodes[id].0.inputs.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        (names("p.1"), names("p.2")),
        (vec!["y".to_owned()], vec!["z".to_owned()])
    );
    assert_eq!(nodes["p.1"].0.links().next().unwrap().1.node, "p.2");
}
