//! What is kept from prompt to prompt, and that keeping never changes a result.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use comfy_api::queue::FreeRequest;
use comfy_exec::{CachePolicy, EngineOptions};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::recorder::Bench;
use crate::toys::{Ledger, node, quick, registry, services};

fn bench(cache: CachePolicy) -> (Bench, Arc<Ledger>) {
    let (services, ledger) = services();
    (Bench::new(registry(), services, cache), ledger)
}

fn show(value: Value) -> Value {
    json!({"9": node("Outside", json!({"print": value})), "2": node("Show", json!({"value": ["9", 0]}))})
}

#[test]
fn equal_nodes_are_equal_whatever_their_ids() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    bench.run(quick(5));
    assert_eq!(ledger.take_ran(), ["1", "2"]);
    let renamed = json!({"x": node("Constant", json!({"value": 5})), "y": node("Show", json!({"value": ["x", 0]}))});
    let entry = bench.run(renamed);
    assert_eq!(ledger.take_ran(), [""; 0]);
    assert_eq!(
        serde_json::to_value(&entry.outputs).unwrap(),
        json!({"y": {"number": [5]}})
    );
    assert_eq!(entry.meta["y"].real_node_id, "y");
}

#[test]
fn two_equal_nodes_in_one_prompt_run_once() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    let mut prompt = quick(5);
    prompt["3"] = prompt["2"].clone();
    let entry = bench.run(prompt);
    assert_eq!(ledger.take_ran(), ["1", "2"]);
    assert_eq!(
        serde_json::to_value(&entry.outputs).unwrap(),
        json!({"2": {"number": [5]}, "3": {"number": [5]}})
    );
    // The second tells what it shows, but never began.
    assert_eq!(crate::recorder::started(&bench.recorder), ["1", "2"]);
    assert_eq!(bench.recorder.data_of("executed").len(), 2);
}

#[test]
fn a_failed_prompt_leaves_what_it_has_computed() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    let mut prompt = quick(5);
    prompt["3"] = node("Fail", json!({"a": ["1", 0], "how": "value"}));
    prompt["2"]["inputs"]["value"] = json!(["3", 0]);
    bench.run(prompt.clone());
    assert_eq!(ledger.take_ran(), ["1", "3"]);
    prompt["3"]["inputs"]["how"] = json!("well");
    bench.run(prompt);
    assert_eq!(ledger.take_ran(), ["3", "2"]);
}

#[test]
fn classic_forgets_what_the_last_prompt_did_not_use() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    for (value, expected) in [(1, 2), (2, 2), (2, 0), (1, 2)] {
        bench.run(quick(value));
        assert_eq!(ledger.take_ran().len(), expected, "{value}");
    }
    assert_eq!(ledger.alive(), 1);
}

#[test]
fn lru_remembers_more_prompts() {
    let (bench, ledger) = bench(CachePolicy::Lru(4));
    for (value, expected) in [(1, 2), (2, 2), (1, 0), (3, 2), (1, 0), (3, 0), (2, 2)] {
        bench.run(quick(value));
        assert_eq!(ledger.take_ran().len(), expected, "{value}");
    }
}

#[test]
fn none_runs_everything_again_and_frees_early() {
    let (bench, ledger) = bench(CachePolicy::None);
    // 1 → 2 → 3 → 4 → 5, and 5 also needs 1.
    let prompt = json!({
        "1": node("Constant", json!({"value": 1})),
        "2": node("Sum", json!({"a": ["1", 0]})),
        "3": node("Sum", json!({"a": ["2", 0]})),
        "4": node("Sum", json!({"a": ["3", 0]})),
        "5": node("Sum", json!({"a": ["4", 0], "b": ["1", 0]})),
        "6": node("Show", json!({"value": ["5", 0]})),
    });
    ledger.counts_alive.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        ledger.alive_at.lock().clear();
        let entry = bench.run(prompt.clone());
        assert_eq!(ledger.take_ran(), ["1", "2", "3", "4", "5", "6"]);
        // Only the inputs of a node and what a later node still needs are alive when it runs.
        let alive: Vec<usize> = ledger
            .alive_at
            .lock()
            .iter()
            .map(|(_, alive)| *alive)
            .collect();
        assert_eq!(alive, [0, 1, 2, 2, 2, 1]);
        assert_eq!(ledger.alive(), 0);
        assert_eq!(entry.outputs.len(), 1);
    }
}

#[test]
fn none_runs_equal_nodes_of_one_prompt_once() {
    let (bench, ledger) = bench(CachePolicy::None);
    let prompt = json!({
        "1": node("Constant", json!({"value": 1})),
        "2": node("Constant", json!({"value": 1})),
        "3": node("Show", json!({"value": ["1", 0]})),
        "4": node("Sum", json!({"a": ["2", 0]})),
        "5": node("Show", json!({"value": ["4", 0]})),
        "6": node("Show", json!({"value": ["1", 0]})),
    });
    let entry = bench.run(prompt);
    assert_eq!(entry.outputs.len(), 3);
    let ran = ledger.take_ran();
    assert_eq!(ran.len(), 4, "{ran:?}");
    assert_eq!(ledger.alive(), 0);
}

#[test]
fn free_memory_forgets_everything_and_unloads() {
    let (services, ledger) = services();
    let requests: Arc<Mutex<Vec<FreeRequest>>> = Arc::default();
    let seen = requests.clone();
    let bench = Bench::with(registry(), services, |options: &mut EngineOptions| {
        options.on_free = Box::new(move |request| seen.lock().push(request));
    });
    bench.run(quick(1));
    bench.engine.free(FreeRequest {
        unload_models: true,
        free_memory: false,
    });
    bench.run(quick(1));
    assert_eq!(ledger.take_ran(), ["1", "2"]);
    bench.engine.free(FreeRequest {
        unload_models: false,
        free_memory: true,
    });
    bench.run(quick(1));
    assert_eq!(ledger.take_ran(), ["1", "2"]);
    let expected = [(true, false), (true, true)].map(|(unload_models, free_memory)| FreeRequest {
        unload_models,
        free_memory,
    });
    assert_eq!(*requests.lock(), expected);
}

#[test]
fn fingerprints_decide_and_are_written_into_the_running_prompt() {
    let (bench, ledger) = bench(CachePolicy::Classic);
    for (print, expected) in [
        ("same", 2),
        ("same", 0),
        ("count", 2),
        ("count", 2),
        ("nan", 2),
        ("nan", 2),
        ("error", 2),
        ("panic", 2),
    ] {
        let entry = bench.run(show(json!(print)));
        assert_eq!(ledger.take_ran().len(), expected, "{print}");
        assert!(
            entry.prompt.prompt["9"].get("is_changed").is_none(),
            "the history has the prompt as it was submitted"
        );
    }
    assert_eq!(ledger.fingerprints.load(Ordering::Relaxed), 8);
    // A fingerprint that comes with the prompt is taken as it is, and nobody asks for another.
    let mut prompt = show(json!("count"));
    prompt["9"]["is_changed"] = json!(["earlier"]);
    for expected in [2, 0] {
        bench.run(prompt.clone());
        assert_eq!(ledger.take_ran().len(), expected);
    }
    assert_eq!(ledger.fingerprints.load(Ordering::Relaxed), 8);
}

#[test]
fn a_node_that_knows_its_id_keeps_its_own_state_and_result() {
    let (bench, _) = bench(CachePolicy::Classic);
    let tally = |id: &str, text: &str| {
        let mut prompt = Map::new();
        prompt.insert(id.to_owned(), node("Tally", json!({"text": text})));
        let entry = bench.run(Value::Object(prompt));
        entry.outputs[id]["tally"][0].clone()
    };
    assert_eq!(tally("1", "a"), json!(["1", "a", 1]));
    assert_eq!(tally("1", "a"), json!(["1", "a", 1]));
    assert_eq!(tally("1", "b"), json!(["1", "b", 2]));
    assert_eq!(tally("2", "b"), json!(["2", "b", 1]));
    // The state of node 1 went with the prompt that did not have it.
    assert_eq!(tally("1", "b"), json!(["1", "b", 1]));
}

/// A random graph: node number i may take the results of nodes before it. The last few are shown.
fn graphs() -> impl Strategy<Value = Vec<Value>> {
    let node_of = |index: usize| {
        let source = 0..index.max(1);
        (0..4_u8, source.clone(), source, 0..3_i64)
    };
    let graph =
        (2..14_usize).prop_flat_map(move |count| (0..count).map(node_of).collect::<Vec<_>>());
    let to_prompt = |nodes: Vec<(u8, usize, usize, i64)>| {
        let mut prompt = Map::new();
        let count = nodes.len();
        for (index, (kind, a, b, value)) in nodes.into_iter().enumerate() {
            let link = |to: usize| json!([to.to_string(), 0]);
            let toy = match kind {
                0 => node("Constant", json!({"value": value})),
                _ if index == 0 => node("Constant", json!({"value": value})),
                1 => node("Sum", json!({"a": link(a), "plus": value})),
                _ => node("Sum", json!({"a": link(a), "b": link(b), "plus": value})),
            };
            prompt.insert(index.to_string(), toy);
        }
        for shown in count.saturating_sub(3)..count {
            prompt.insert(
                format!("show {shown}"),
                node("Show", json!({"value": [shown.to_string(), 0]})),
            );
        }
        Value::Object(prompt)
    };
    prop::collection::vec(graph.prop_map(to_prompt), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn caching_never_changes_a_result(prompts in graphs()) {
        let mut expected = None;
        for cache in [CachePolicy::None, CachePolicy::Classic, CachePolicy::Lru(0), CachePolicy::Lru(6), CachePolicy::Lru(100)] {
            let (bench, ledger) = bench(cache);
            let mut outputs = Vec::new();
            for prompt in &prompts {
                let entry = bench.run(prompt.clone());
                prop_assert!(entry.status.completed);
                outputs.push(serde_json::to_value(&entry.outputs).unwrap());
                let ran = ledger.take_ran();
                prop_assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), ran.len(), "a node ran twice: {:?}", ran);
            }
            if cache == CachePolicy::None {
                prop_assert_eq!(ledger.alive(), 0);
            }
            prop_assert_eq!(expected.get_or_insert_with(|| outputs.clone()), &outputs);
        }
    }
}
