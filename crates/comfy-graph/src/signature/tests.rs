#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::{NodeClass, NodeError, Prompt, SchemaBuilder, Section, Socket, SocketType, Subgraph};
use proptest::prelude::*;
use serde_json::{Map, json};
use std::collections::HashMap;

fn registry() -> NodeRegistry {
    let plain = |id: &'static str| SchemaBuilder::new(id, "A toy.", "tests");
    let class = |builder: SchemaBuilder| {
        let schema = builder.build();
        NodeClass::new(
            "tests",
            move |_| schema.clone(),
            |_, _| Err(NodeError::runtime("a toy")),
        )
    };
    let unique_id =
        crate::InputSpec::dynamic("id", SocketType::Named("UNIQUE_ID".into()), Section::Hidden);
    let mut registry = NodeRegistry::new();
    for class in [
        class(plain("A")),
        class(plain("B")),
        class(plain("Bound").not_idempotent(true)),
        class(plain("Named").input_spec(unique_id)),
        class(plain("File")).with_fingerprint(|_, _| Ok(json!("hash"))),
    ] {
        registry.register_class(class).unwrap();
    }
    registry
}

fn keys(prompt: &Json) -> HashMap<String, Signature> {
    let graph = Graph::new(Prompt::from_json(prompt).unwrap());
    let signatures = Signatures::of(&graph, &registry());
    let ids = graph.nodes().map(|(id, _)| id.to_owned());
    ids.zip(signatures.iter().copied()).collect()
}

/// The key of one node with these inputs.
#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without borrowing"
)]
fn key(inputs: Json) -> Signature {
    keys(&json!({"1": {"class_type": "A", "inputs": inputs}}))["1"]
}

#[test]
fn values_are_equal_as_in_python() {
    for (left, right) in [
        (json!(1), json!(1.0)),
        (json!(1), json!(true)),
        (json!(0), json!(-0.0)),
        (json!({"a": 1, "b": [2]}), json!({"b": [2.0], "a": true})),
        (json!(u64::MAX), json!(u64::MAX)),
        (json!(1e300), json!(1e300)),
    ] {
        assert_eq!(key(json!({"x": left})), key(json!({"x": right})));
    }
    let different = [
        json!(1),
        json!(1.5),
        json!("1"),
        json!(null),
        json!([1]),
        json!([[1]]),
        json!([1, 2]),
        json!([[1], 2]),
        json!({"1": 1}),
        json!(""),
        json!([]),
        json!({}),
        json!(u64::MAX),
        json!(u64::MAX as f64),
        python_json::from_f64(f64::INFINITY),
    ];
    for (index, left) in different.iter().enumerate() {
        for right in &different[index + 1..] {
            assert_ne!(
                key(json!({"x": left})),
                key(json!({"x": right})),
                "{left} {right}"
            );
        }
    }
    assert_ne!(key(json!({"x": 1})), key(json!({"y": 1})));
    assert_eq!(key(json!({"x": 1, "y": 2})), key(json!({"y": 2, "x": 1})));
    let nan = json!({"x": [python_json::nan()]});
    assert_ne!(key(nan.clone()), key(nan));
}

#[test]
fn ids_matter_only_to_classes_that_ask() {
    let of = |class: &str, id: &str| {
        keys(&json!({id: {"class_type": class, "inputs": {}, "_meta": {"title": id}}}))[id]
    };
    assert_eq!(of("A", "1"), of("A", "2"));
    assert_ne!(of("A", "1"), of("B", "1"));
    for class in ["Bound", "Named"] {
        assert_eq!(of(class, "1"), of(class, "1"));
        assert_ne!(of(class, "1"), of(class, "2"));
    }
}

#[test]
fn fingerprints_matter_only_to_classes_that_have_them() {
    let of = |class: &str, fingerprint: Json| {
        let node = json!({"class_type": class, "inputs": {}, "is_changed": fingerprint});
        keys(&json!({"1": node}))["1"]
    };
    assert_eq!(of("File", json!(["a"])), of("File", json!(["a"])));
    assert_ne!(of("File", json!(["a"])), of("File", json!(["b"])));
    let nan = json!([python_json::nan()]);
    assert_ne!(of("File", nan.clone()), of("File", nan.clone()));
    assert_eq!(of("A", nan.clone()), of("A", nan));
    let without = keys(&json!({"1": {"class_type": "File", "inputs": {}}}));
    assert_eq!(without["1"], of("File", json!(false)));
}

#[test]
fn nan_taints_everything_after_it() {
    let prompt = json!({
        "1": {"class_type": "A", "inputs": {"x": python_json::nan()}},
        "2": {"class_type": "A", "inputs": {"x": ["1", 0]}},
        "3": {"class_type": "A", "inputs": {"x": 1}},
    });
    let (first, second) = (keys(&prompt), keys(&prompt));
    assert_ne!(first["2"], second["2"]);
    assert_eq!(first["3"], second["3"]);
}

#[test]
fn slots_and_lists_are_told_apart() {
    let prompt = json!({
        "1": {"class_type": "A", "inputs": {}},
        "2": {"class_type": "B", "inputs": {"x": ["1", 0]}},
        "3": {"class_type": "B", "inputs": {"x": ["1", 1]}},
        "4": {"class_type": "B", "inputs": {"x": ["1", 1.0]}},
        "5": {"class_type": "B", "inputs": {"x": ["nowhere", 1]}},
        "6": {"class_type": "B", "inputs": {"x": ["6", 0]}},
        "7": {"class_type": "B", "inputs": {"x": ["6", 0]}},
    });
    let keys = keys(&prompt);
    assert_ne!(keys["2"], keys["3"]);
    assert_eq!(keys["3"], keys["4"]);
    assert_ne!(keys["3"], keys["5"]);
    assert_ne!(keys["6"], keys["7"]);
}

#[test]
fn nodes_that_are_added_while_the_graph_runs() {
    #[derive(Clone)]
    struct Weights;
    impl Socket for Weights {
        const TYPE: &'static str = "WEIGHTS";
        fn to_json(&self) -> Option<Json> {
            Some(json!("looks equal"))
        }
    }
    let prompt = json!({
        "1": {"class_type": "A", "inputs": {"x": 1}},
        "2": {"class_type": "B", "inputs": {"x": ["1", 0], "y": 3}},
    });
    let mut graph = Graph::new(Prompt::from_json(&prompt).unwrap());
    let registry = registry();
    let mut signatures = Signatures::of(&graph, &registry);
    let weights = crate::Value::new(Weights);
    let mut subgraph = Subgraph::new("2.0.0.");
    let inner = subgraph.node("A").set("x", 1_i64).add();
    subgraph
        .node("B")
        .set("x", inner.out(0))
        .set("y", json!(3))
        .add();
    for weights in [&weights, &weights, &crate::Value::new(Weights)] {
        subgraph.node("A").set("x", weights.clone()).add();
    }
    let before = graph.len();
    graph.expand("2", subgraph, before).unwrap();
    signatures.extend(&graph, &registry);
    let key = |id: &str| signatures.get(graph.position(id).unwrap()).unwrap();
    // Equal nodes are equal wherever they come from.
    assert_eq!(key("2.0.0.1"), key("1"));
    assert_eq!(key("2.0.0.2"), key("2"));
    // Values without plain content are only equal to themselves.
    assert_eq!(key("2.0.0.3"), key("2.0.0.4"));
    assert_ne!(key("2.0.0.3"), key("2.0.0.5"));
}

#[test]
fn a_hundred_thousand_nodes() {
    let mut nodes = Map::new();
    // The last node comes first, so that its key needs all the others at once.
    for node in (0..100_000_i64).rev() {
        let inputs =
            json!({"a": [(node - 1).to_string(), 0], "b": [(node / 2).to_string(), 0], "n": node});
        nodes.insert(
            node.to_string(),
            json!({"class_type": "A", "inputs": inputs}),
        );
    }
    nodes["0"]["inputs"] = json!({});
    assert_eq!(keys(&Json::Object(nodes)).len(), 100_000);
}

/// Prompts of ten nodes: for each its class, a value and its sources among the nodes before it.
fn prompts() -> impl Strategy<Value = Vec<(bool, u8, Vec<usize>)>> {
    let node = (
        any::<bool>(),
        0_u8..3,
        prop::collection::vec(any::<usize>(), 0..3),
    );
    prop::collection::vec(node, 10)
}

fn prompt_of(nodes: &[(bool, u8, Vec<usize>)], name: impl Fn(usize) -> String) -> Json {
    let node = |(index, (class, value, sources)): (usize, &(bool, u8, Vec<usize>))| {
        let mut inputs = Map::new();
        inputs.insert("value".into(), json!(value));
        for (input, source) in sources.iter().enumerate().filter(|_| index > 0) {
            inputs.insert(format!("i{input}"), json!([name(source % index), 0]));
        }
        let class = if *class { "A" } else { "B" };
        (name(index), json!({"class_type": class, "inputs": inputs}))
    };
    Json::Object(nodes.iter().enumerate().map(node).collect())
}

/// The nodes that depend on `node`, itself included.
fn downstream(nodes: &[(bool, u8, Vec<usize>)], node: usize) -> Vec<bool> {
    let mut reached = vec![false; nodes.len()];
    reached[node] = true;
    for (index, (_, _, sources)) in nodes.iter().enumerate().filter(|(index, _)| *index > 0) {
        reached[index] |= sources.iter().any(|source| reached[source % index]);
    }
    reached
}

proptest! {
    #[test]
    fn names_do_not_matter(nodes in prompts()) {
        let old = keys(&prompt_of(&nodes, |index| index.to_string()));
        let new = keys(&prompt_of(&nodes, |index| format!("n{}", 100 - index)));
        for index in 0..nodes.len() {
            prop_assert_eq!(old[&index.to_string()], new[&format!("n{}", 100 - index)]);
        }
    }

    #[test]
    fn a_change_changes_exactly_what_depends_on_it(nodes in prompts(), changed in 0_usize..10) {
        let name = |index: usize| index.to_string();
        let before = keys(&prompt_of(&nodes, name));
        let mut other = nodes.clone();
        other[changed].1 += 10;
        let after = keys(&prompt_of(&other, name));
        for (index, depends) in downstream(&nodes, changed).into_iter().enumerate() {
            prop_assert_eq!(before[&name(index)] != after[&name(index)], depends);
        }
    }
}
