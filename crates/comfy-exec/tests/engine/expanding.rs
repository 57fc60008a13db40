//! Nodes that add others to the graph.

use std::sync::Arc;

use comfy_exec::CachePolicy;
use serde_json::{Value, json};

use crate::graph_toys::registry;
use crate::recorder::Bench;
use crate::toys::{Ledger, node, services};

fn bench(cache: CachePolicy) -> (Bench, Arc<Ledger>) {
    let (services, ledger) = services();
    (Bench::new(registry(), services, cache), ledger)
}

fn counting(from: i64, start: i64) -> Value {
    json!({
        "1": node("Constant", json!({"value": start})),
        "count": node("Countdown", json!({"from": from, "start": ["1", 0]})),
        "show": node("Show", json!({"value": ["count", 0]})),
    })
}

/// What `Countdown` computes: `Sum` multiplies by 31.
fn expected(from: i64, start: i64) -> i64 {
    (1..=from).fold(start, |sum, step| sum.wrapping_mul(31).wrapping_add(step))
}

#[test]
fn nodes_expand_into_nodes_that_expand() {
    for cache in [
        CachePolicy::Classic,
        CachePolicy::Lru(0),
        CachePolicy::Lru(100),
        CachePolicy::Ram(0),
        CachePolicy::Ram(1_000_000),
        CachePolicy::None,
    ] {
        let (bench, ledger) = bench(cache);
        let entry = bench.run(counting(3, 5));
        assert_eq!(
            entry.outputs["show"]["number"],
            json!([expected(3, 5)]),
            "{cache:?}"
        );
        assert_eq!(ledger.take_ran().len(), 1 + 4 + 2 * 3 + 1);
    }
}

#[test]
fn ids_follow_from_the_node_and_the_call() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    bench.run(counting(1, 5));
    assert_eq!(
        ledger.take_ran(),
        [
            "1",
            "count",
            "count.0.0.1",
            "count.0.0.2",
            "count.0.0.last",
            "show"
        ]
    );
    let began = bench.recorder.data_of("executing");
    assert_eq!(
        (&began[2]["node"], &began[2]["display_node"]),
        (&json!("count.0.0.1"), &json!("count"))
    );
    let states = bench.recorder.data_of("progress_state");
    let inner = states
        .iter()
        .find_map(|state| state["nodes"].get("count.0.0.1"));
    let inner = inner.unwrap();
    assert_eq!(inner["parent_node_id"], "count");
    assert_eq!(inner["display_node_id"], "count");
    assert_eq!(inner["real_node_id"], "count");
    // The node that expanded does not end before those it added.
    let position = |id: &str| {
        states
            .iter()
            .position(|state| state["nodes"][id]["state"] == "finished")
            .unwrap()
    };
    assert!(position("count.0.0.last") < position("count"));
}

#[test]
fn an_expansion_is_cached_as_a_whole_and_in_parts() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    bench.run(counting(2, 5));
    ledger.take_ran();
    let entry = bench.run(counting(2, 5));
    assert_eq!(ledger.take_ran(), [""; 0]);
    assert_eq!(entry.outputs["show"]["number"], json!([expected(2, 5)]));
    // A list of calls, of which the inner nodes of the first are known.
    let mut longer = counting(2, 5);
    longer["count"]["inputs"]["how"] = json!("other");
    let entry = bench.run(longer);
    assert_eq!(entry.outputs["show"]["number"], json!([expected(2, 5)]));
    let ran = ledger.take_ran();
    assert_eq!(
        ran,
        ["count", "count.0.0.last", "show"],
        "the rest is known"
    );
}

#[test]
fn every_call_of_a_list_expands() {
    let (bench, _) = bench(CachePolicy::Classic);
    let prompt = json!({
        "range": node("Range", json!({"count": 3})),
        "count": node("Countdown", json!({"from": 2, "start": ["range", 0]})),
        "show": node("Show", json!({"value": ["count", 0]})),
    });
    let entry = bench.run(prompt);
    assert_eq!(
        entry.outputs["show"]["number"],
        json!([expected(2, 0), expected(2, 1), expected(2, 2)])
    );
}

fn odd(way: &str) -> Value {
    json!({
        "1": node("Constant", json!({"value": 7})),
        "odd": node("Odd", json!({"value": ["1", 0], "way": way})),
        "show": node("Show", json!({"value": ["odd", 0]})),
        "any": node("Label", json!({"value": ["odd", 1]})),
    })
}

/// What the two outputs of `Odd` show.
fn outputs(way: &str) -> (Value, Value) {
    let (bench, _) = bench(CachePolicy::Classic);
    let entry = bench.run(odd(way));
    assert!(entry.status.completed, "{way}: {:?}", entry.status.messages);
    (
        entry.outputs["show"]["number"].clone(),
        entry.outputs["any"]["label"].clone(),
    )
}

#[test]
fn outputs_come_from_lists_constants_values_and_the_graph_around() {
    let (bench, _) = bench(CachePolicy::Classic);
    let entry = bench.run(odd("list"));
    assert_eq!(entry.outputs["show"]["number"], json!([0, 1, 2]));
    assert_eq!(entry.outputs["any"]["label"], json!([4, "five"]));
    assert_eq!(outputs("values"), (json!([7]), json!([7])), "values");
    assert_eq!(outputs("plain"), (json!([7]), json!([7])));
}

#[test]
fn output_nodes_of_an_expansion_run_and_others_only_if_needed() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    let entry = bench.run(odd("shows"));
    assert!(entry.status.completed);
    let ran = ledger.take_ran();
    assert!(ran.iter().any(|id| id == "odd.0.0.1"), "{ran:?}");
    assert!(!ran.iter().any(|id| id.ends_with("unused")), "{ran:?}");
    let meta = &entry.meta["odd.0.0.1"];
    assert_eq!(meta.display_node, "odd");
    assert_eq!(meta.parent_node.as_deref(), Some("odd"));
    assert_eq!(meta.real_node_id, "odd");
    assert_eq!(entry.meta["odd.0.0.2"].display_node, "1");
    assert_eq!(entry.outputs["odd.0.0.1"]["number"], json!([7]));
}

#[test]
fn failures_name_the_node_that_the_client_knows() {
    let (bench, _) = bench(CachePolicy::Classic);
    let mut prompt = counting(2, 5);
    prompt["count"]["inputs"]["how"] = json!("value");
    bench.run(prompt);
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(
        (&error["node_id"], &error["node_type"]),
        (&json!("count"), &json!("Countdown"))
    );
    assert_eq!(error["exception_type"], "ValueError");
    let trace = error["traceback"].to_string();
    assert!(
        trace.contains("node count.0.0.last of class Fail"),
        "{trace}"
    );
    let executed = error["executed"].as_array().unwrap();
    assert!(executed.contains(&json!("count.0.0.2")));
}

#[test]
fn bad_expansions_fail_at_their_node() {
    for (way, kind, message) in [
        (
            "cycle",
            "graph.DependencyCycleError",
            "Dependency cycle detected\n",
        ),
        (
            "self",
            "graph.DependencyCycleError",
            "Dependency cycle detected\n",
        ),
        (
            "twice",
            "DuplicateNodeError",
            "expected a new id for each node of a subgraph, found another node odd.0.0.same\n",
        ),
        ("unknown class", "KeyError", "'Nonsense'\n"),
        (
            "unknown source",
            "graph.NodeNotFoundError",
            "Node nowhere not found\n",
        ),
        (
            "too few",
            "RuntimeError",
            "expected 2 outputs of class Odd, found 1\n",
        ),
    ] {
        let (bench, _) = bench(CachePolicy::Classic);
        bench.run(odd(way));
        let [error] = bench
            .recorder
            .data_of("execution_error")
            .try_into()
            .unwrap();
        assert_eq!(
            (
                &error["node_id"],
                &error["exception_type"],
                &error["exception_message"]
            ),
            (&json!("odd"), &json!(kind), &json!(message)),
            "{way}"
        );
        // The worker goes on.
        assert!(bench.run(counting(1, 1)).status.completed);
    }
}

#[test]
fn nodes_see_the_graph_and_links_as_links() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    let prompt = json!({
        "1": node("Constant", json!({"value": 7})),
        "look": node("Look", json!({"at": ["1", 0]})),
    });
    let entry = bench.run(prompt);
    // A raw link is no reason to run its source before, but nothing keeps it from running either.
    assert_eq!(ledger.take_ran().last().unwrap(), "look");
    assert_eq!(
        entry.outputs["look"]["seen"],
        json!([["Constant", 2, null]])
    );
}

#[test]
fn a_long_recursion_does_not_overflow_a_stack() {
    let (bench, _) = bench(CachePolicy::Classic);
    bench
        .recorder
        .forgets
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let submitted = bench.submit(counting(400, 1));
    let completion = bench.engine.completion(&submitted.prompt_id).unwrap();
    let entry = completion.blocking_recv().unwrap();
    assert_eq!(entry.outputs["show"]["number"], json!([expected(400, 1)]));
}
