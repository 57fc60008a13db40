//! Giant prompts: time and messages grow with the number of nodes, not with its square; if they did, nobody would wait for
//! these tests.

use std::sync::atomic::Ordering;

use comfy_exec::CachePolicy;
use serde_json::{Map, Value, json};

use crate::recorder::Bench;
use crate::toys::{node, registry, services};

/// A chain of sums with one number shown at its end.
fn chain(length: usize) -> Value {
    let mut prompt = Map::new();
    prompt.insert("0".to_owned(), node("Constant", json!({"value": 1})));
    for index in 1..length {
        prompt.insert(
            index.to_string(),
            node("Sum", json!({"a": [(index - 1).to_string(), 0]})),
        );
    }
    prompt.insert(
        "show".to_owned(),
        node("Show", json!({"value": [(length - 1).to_string(), 0]})),
    );
    Value::Object(prompt)
}

/// Many independent outputs of one source.
fn star(outputs: usize) -> Value {
    let mut prompt = Map::new();
    prompt.insert("source".to_owned(), node("Constant", json!({"value": 1})));
    for index in 0..outputs {
        prompt.insert(
            format!("sum {index}"),
            node("Sum", json!({"a": ["source", 0], "plus": index})),
        );
        prompt.insert(
            format!("show {index}"),
            node("Show", json!({"value": [format!("sum {index}"), 0]})),
        );
    }
    Value::Object(prompt)
}

fn check(prompt: Value, nodes: usize, cache: CachePolicy) {
    let (services, ledger) = services();
    let bench = Bench::new(registry(), services, cache);
    bench.recorder.forgets.store(true, Ordering::Relaxed);
    let submitted = bench.submit(prompt);
    let completion = bench.engine.completion(&submitted.prompt_id).unwrap();
    let entry = completion.blocking_recv().unwrap();
    assert!(entry.status.completed);
    assert_eq!(ledger.take_ran().len(), nodes);
}

#[test]
fn a_deep_prompt() {
    check(chain(100_000), 100_001, CachePolicy::None);
}

#[test]
fn a_wide_prompt() {
    check(star(50_000), 100_001, CachePolicy::Classic);
}
