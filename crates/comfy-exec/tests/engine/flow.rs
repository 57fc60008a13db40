//! Lazy inputs, lists, blockers and undeclared inputs.

use std::sync::Arc;

use comfy_exec::CachePolicy;
use serde_json::{Value, json};

use crate::graph_toys::registry;
use crate::recorder::{Bench, started};
use crate::toys::{Ledger, node, services};

fn bench() -> (Bench, Arc<Ledger>) {
    let (services, ledger) = services();
    (
        Bench::new(registry(), services, CachePolicy::Classic),
        ledger,
    )
}

fn constant(value: i64) -> Value {
    node("Constant", json!({"value": value}))
}

fn show(source: &str) -> Value {
    node("Show", json!({"value": [source, 0]}))
}

/// What the output node `show` shows.
fn shown(bench: &Bench, prompt: Value) -> Value {
    let entry = bench.run(prompt);
    assert!(entry.status.completed, "{:?}", entry.status.messages);
    entry
        .outputs
        .get("show")
        .map_or(Value::Null, |shown| shown["number"].clone())
}

fn picking(second: Value) -> Value {
    json!({
        "a": constant(1),
        "b": constant(2),
        "second": second,
        "pick": node("Pick", json!({"second": ["second", 0], "a": ["a", 0], "b": ["b", 0]})),
        "show": show("pick"),
    })
}

#[test]
fn only_what_is_asked_for_runs() {
    let (bench, ledger) = bench();
    assert_eq!(shown(&bench, picking(constant(0))), json!([1]));
    assert_eq!(ledger.take_ran(), ["second", "a", "pick", "show"]);
    // The node begins again when it has what it asked for.
    assert_eq!(
        started(&bench.recorder),
        ["second", "pick", "a", "pick", "show"]
    );
    assert_eq!(shown(&bench, picking(constant(7))), json!([2]));
    assert_eq!(ledger.take_ran(), ["second", "b", "pick", "show"]);
    // Both are there now, so nothing has to be asked for.
    assert_eq!(shown(&bench, picking(constant(0))), json!([1]));
    assert_eq!(ledger.take_ran(), ["second", "pick", "show"]);
}

#[test]
fn every_call_asks_for_what_it_needs() {
    let (bench, ledger) = bench();
    assert_eq!(
        shown(&bench, picking(node("Range", json!({"count": 3})))),
        json!([1, 2, 2])
    );
    assert_eq!(
        ledger.take_ran(),
        [
            "second", "a", "b", "pick", "pick", "pick", "show", "show", "show"
        ]
    );
}

#[test]
fn asking_for_an_input_that_is_not_there_fails() {
    for (ask, complaint) in [
        ("nothing", "there is no input to that node at all"),
        ("extra", "that value is a constant"),
    ] {
        let (bench, _) = bench();
        let mut prompt = picking(constant(0));
        prompt["pick"]["inputs"]["ask"] = json!(ask);
        prompt["pick"]["inputs"]["extra"] = json!(5);
        bench.run(prompt);
        let [error] = bench
            .recorder
            .data_of("execution_error")
            .try_into()
            .unwrap();
        assert_eq!(error["exception_type"], "graph.NodeInputError");
        assert_eq!(
            error["exception_message"],
            format!("Node pick says it needs input {ask}, but {complaint}\n")
        );
        assert_eq!(error["node_id"], "pick");
    }
}

#[test]
fn an_absent_lazy_input_is_none() {
    let (bench, _) = bench();
    let mut prompt = picking(constant(1));
    prompt["pick"]["inputs"]
        .as_object_mut()
        .unwrap()
        .remove("b");
    assert_eq!(shown(&bench, prompt), json!([1]));
}

#[test]
fn lists_repeat_nodes_until_one_takes_them_whole() {
    let (bench, ledger) = bench();
    let prompt = json!({
        "range": node("Range", json!({"count": 3})),
        "sum": node("Sum", json!({"a": ["range", 0], "plus": 1})),
        "total": node("Total", json!({"values": ["sum", 0], "times": ["range", 0]})),
        "show": show("sum"),
        "show2": show("total"),
    });
    assert_eq!(shown(&bench, prompt), json!([1, 32, 63]));
    let ran = ledger.take_ran();
    let count = |id: &str| ran.iter().filter(|ran| *ran == id).count();
    assert_eq!(
        ["range", "sum", "total", "show", "show2"].map(count),
        [1, 3, 1, 3, 1]
    );
    let [_, second] = bench.recorder.data_of("executed").try_into().unwrap();
    // 96 times the first of the numbers, which is 0.
    assert_eq!(second["output"], json!({"number": [0]}));
}

#[test]
fn an_empty_list_calls_a_node_without_inputs() {
    let (bench, _) = bench();
    let prompt = json!({
        "range": node("Range", json!({"count": 0})),
        "total": node("Total", json!({"values": ["range", 0]})),
        "show": show("total"),
    });
    assert_eq!(shown(&bench, prompt), json!([0]));
}

#[test]
fn a_blocker_blocks_what_is_behind_it() {
    let (bench, ledger) = bench();
    let prompt = |blocked: i64, message: Value| {
        json!({
            "range": node("Range", json!({"count": 3})),
            "gate": node("Gate", json!({"value": ["range", 0], "blocked": blocked, "message": message})),
            "sum": node("Sum", json!({"a": ["gate", 0]})),
            "show": show("sum"),
        })
    };
    let mut silent = prompt(1, json!("x"));
    silent["gate"]["inputs"]
        .as_object_mut()
        .unwrap()
        .remove("message");
    // One of three values is blocked, without a word.
    assert_eq!(shown(&bench, silent), json!([0, 62]));
    assert!(bench.recorder.data_of("execution_error").is_empty());
    bench.recorder.take();
    ledger.take_ran();
    // The first node behind the blocker tells, and the prompt still succeeds.
    assert_eq!(shown(&bench, prompt(2, json!("not 2"))), json!([0, 31]));
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(
        error,
        json!({
            "prompt_id": error["prompt_id"],
            "node_id": "sum",
            "node_type": "Sum",
            "executed": ["gate"],
            "exception_message": "Execution Blocked: not 2",
            "exception_type": "ExecutionBlocked",
            "traceback": [],
            "current_inputs": [],
            "current_outputs": [],
        })
    );
    assert_eq!(bench.recorder.data_of("execution_success").len(), 1);
    assert_eq!(
        ledger.take_ran(),
        ["gate", "gate", "gate", "sum", "sum", "show", "show"]
    );
}

#[test]
fn a_node_whose_only_call_is_blocked_shows_nothing() {
    let (bench, ledger) = bench();
    let prompt = json!({
        "1": constant(5),
        "gate": node("Gate", json!({"value": ["1", 0], "blocked": 5})),
        "total": node("Total", json!({"values": ["gate", 0]})),
        "show": show("total"),
    });
    let entry = bench.run(prompt.clone());
    assert!(entry.status.completed && entry.outputs.is_empty());
    assert_eq!(ledger.take_ran(), ["1", "gate"]);
    // It counts as having run, and its result is known.
    bench.run(prompt);
    assert_eq!(ledger.take_ran(), [""; 0]);
}

#[test]
fn undeclared_links_come_in_the_order_of_the_prompt() {
    let (bench, _) = bench();
    let prompt = json!({
        "1": constant(1),
        "2": constant(2),
        "heap": node("Heap", json!({"x": ["1", 0], "ignored": 5, "y": ["2", 0]})),
        "show": show("heap"),
    });
    assert_eq!(shown(&bench, prompt), json!([3]));
}
