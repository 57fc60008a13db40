//! Whatever comes, there is an answer and no panic.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use comfy_graph::order::{Next, PendingGraph};
use comfy_graph::signature::Signatures;
use comfy_graph::{EmptyCatalog, Graph, Json, Prompt, Services, python_json, validate};
use proptest::prelude::*;
use serde_json::{Map, json};

/// Values that a client may send for an input: good ones, bad ones, links to anywhere.
fn value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(python_json::from_f64),
        "[ -~]{0,8}".prop_map(Json::from),
        "\\PC{0,4}".prop_map(Json::from),
        prop::sample::select(vec![
            "euler",
            "normal",
            "example.png",
            "0x1",
            "-1_0",
            "1e9",
            "nan"
        ])
        .prop_map(Json::from),
        (0..12_u8, -3..4_i64).prop_map(|(node, slot)| json!([node.to_string(), slot])),
        (0..12_u8).prop_map(|node| json!([node, 0])),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::hash_map("[a-z]{0,3}|__value__", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A node of a recorded class whose inputs are anything; sometimes not even a node.
fn node() -> impl Strategy<Value = Json> {
    let classes: Vec<Json> = support::recorded()
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect();
    let values = prop::collection::vec(prop::option::weighted(0.9, value()), 12);
    let good = (prop::sample::select(classes), values).prop_map(|(class, values)| {
        let inputs = class["input"].as_object().unwrap().values();
        let names = inputs.flat_map(|section| section.as_object().unwrap().keys().cloned());
        let inputs: Map<_, _> = names
            .zip(values)
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        json!({"class_type": class["name"], "inputs": inputs})
    });
    prop_oneof![
        30 => good,
        1 => value(),
        1 => value().prop_map(|inputs| json!({"class_type": "SaveImage", "inputs": inputs})),
        1 => value().prop_map(|class_type| json!({"class_type": class_type, "inputs": {}})),
    ]
}

proptest! {
    #[test]
    fn prompts(nodes in prop::collection::vec(node(), 0..12)) {
        let registry = support::registry();
        let ids = (0..nodes.len()).map(|id| id.to_string());
        let mut prompt = Json::Object(ids.zip(nodes).collect());
        let has_wrapped_lists = prompt.to_string().contains("__value__");
        let result = validate(&mut prompt, None, &registry, &EmptyCatalog, &Services::new());
        let Ok(validated) = result else { return Ok(()) };
        prop_assert!(!validated.outputs.is_empty());
        for (id, problems) in &validated.node_errors {
            prop_assert!(!problems.errors.is_empty());
            prop_assert!(!problems.dependent_outputs.is_empty());
            prop_assert!(!validated.outputs.contains(id));
        }

        // What passed once passes again, but for lists, which are unwrapped and then look like links.
        if !has_wrapped_lists {
            let mut again = prompt.clone();
            let outputs = validated.outputs.clone();
            let second = validate(&mut again, Some(&outputs), &registry, &EmptyCatalog, &Services::new());
            prop_assert_eq!(second.map(|second| second.outputs), Ok(outputs));
        }

        // And it can be ordered and has keys; only undeclared links can still form a cycle.
        let graph = Graph::new(Prompt::from_json(&prompt).unwrap());
        prop_assert_eq!(Signatures::of(&graph, &registry).iter().count(), graph.len());
        let mut pending = PendingGraph::new(&registry);
        for output in &validated.outputs {
            pending.add(&graph, graph.position(output).unwrap(), |_| false);
        }
        while let Ok(Next::Run(node)) = pending.next(&graph) {
            pending.complete(node);
        }
    }

    #[test]
    fn json_texts(text in "([\\[\\]{},:\" ]|NaN|-?Infinity|\\\\|1|a){0,16}") {
        let ours = python_json::from_str(&text);
        let strict: Result<Json, _> = serde_json::from_str(&text);
        if let Ok(strict) = strict {
            prop_assert_eq!(ours.unwrap(), strict);
        } else if let Ok(ours) = ours {
            // What only Python reads comes back as Python writes it.
            let written = python_json::to_string(&ours);
            prop_assert_eq!(python_json::from_str(&written).unwrap(), ours);
        }
    }

    #[test]
    fn json_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = python_json::from_slice(&bytes);
    }
}
