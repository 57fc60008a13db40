//! Nodes that go on beside others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use comfy_exec::CachePolicy;
use serde_json::{Value, json};

use crate::graph_toys::{Meeting, registry};
use crate::recorder::{Bench, started, wait_until};
use crate::toys::{Ledger, node, services};

/// An engine whose asynchronous toys meet when so many of them have come.
fn bench(meeting: &Arc<Meeting>, cache: CachePolicy) -> (Bench, Arc<Ledger>) {
    let (mut services, ledger) = services();
    services.insert(Arc::clone(meeting));
    (Bench::new(registry(), services, cache), ledger)
}

fn show(source: &str) -> Value {
    node("Show", json!({"value": [source, 0]}))
}

/// Three nodes that only end together.
fn meeting_of_three() -> Value {
    let mut prompt = json!({});
    for index in 1..=3 {
        prompt[format!("n{index}")] = node("Constant", json!({"value": index}));
        prompt[format!("m{index}")] = node("Meet", json!({"a": [format!("n{index}"), 0]}));
        prompt[format!("s{index}")] = show(&format!("m{index}"));
    }
    prompt
}

#[test]
fn they_overlap_with_each_other() {
    for cache in [CachePolicy::Classic, CachePolicy::None, CachePolicy::Ram(0)] {
        let (bench, ledger) = bench(&Meeting::of(3), cache);
        let entry = bench.run(meeting_of_three());
        assert!(entry.status.completed);
        for index in 1..=3 {
            assert_eq!(
                entry.outputs[&format!("s{index}")]["number"],
                json!([index])
            );
            assert_eq!(entry.outputs[&format!("m{index}")]["met"], json!([index]));
        }
        // A node that is put aside begins once.
        let started = started(&bench.recorder);
        assert_eq!(started.len(), 9, "{started:?}");
        assert_eq!(ledger.take_ran().len(), 9);
        let again = bench.run(json!({"1": node("Constant", json!({"value": 1}))
            , "2": show("1")}));
        assert!(again.status.completed);
    }
}

#[test]
fn they_overlap_with_ordinary_nodes() {
    let (bench, _) = bench(&Meeting::of(2), CachePolicy::Classic);
    let entry = bench.run(json!({
        "1": node("Constant", json!({"value": 1})),
        "m": node("Meet", json!({"a": ["1", 0]})),
        "p": node("MeetInPerson", json!({"a": ["1", 0], "fails": false})),
        "s1": show("m"),
        "s2": show("p"),
    }));
    assert!(entry.status.completed);
    assert_eq!(entry.outputs["s2"]["number"], json!([1]));
}

#[test]
fn the_calls_of_a_list_overlap() {
    let (bench, _) = bench(&Meeting::of(3), CachePolicy::Classic);
    let entry = bench.run(json!({
        "range": node("Range", json!({"count": 3})),
        "m": node("Meet", json!({"a": ["range", 0]})),
        "s": show("m"),
    }));
    assert_eq!(entry.outputs["s"]["number"], json!([0, 1, 2]));
    assert_eq!(entry.outputs["m"]["met"], json!([0, 1, 2]));
}

#[test]
fn they_may_expand_in_the_end() {
    let (bench, ledger) = bench(&Meeting::of(1), CachePolicy::Classic);
    let entry = bench.run(json!({
        "1": node("Constant", json!({"value": 2})),
        "m": node("Meet", json!({"a": ["1", 0], "then": "expand"})),
        "s": show("m"),
    }));
    assert_eq!(entry.outputs["s"]["number"], json!([63]));
    assert_eq!(ledger.take_ran(), ["1", "m", "m.0.0.1", "s"]);
}

#[test]
fn progress_is_reported_for_the_node_that_makes_it() {
    let (bench, _) = bench(&Meeting::of(3), CachePolicy::Classic);
    bench.run(meeting_of_three());
    let steps = bench.recorder.data_of("progress");
    for index in 1..=3 {
        let own: Vec<_> = steps
            .iter()
            .filter(|step| step["node"] == format!("m{index}"))
            .map(|step| (step["value"].clone(), step["max"].clone()))
            .collect();
        assert_eq!(own, [(json!(0.25), json!(0.5)), (json!(1), json!(1))]);
    }
}

#[test]
fn failures_and_panics_are_their_own() {
    for (then, message) in [
        ("fail", "nobody came\n"),
        ("panic", "the node panicked: on purpose\n"),
    ] {
        let (bench, _) = bench(&Meeting::of(3), CachePolicy::Classic);
        let mut prompt = meeting_of_three();
        prompt["m2"]["inputs"]["then"] = json!(then);
        let entry = bench.run(prompt);
        assert!(!entry.status.completed);
        let [error] = bench
            .recorder
            .data_of("execution_error")
            .try_into()
            .unwrap();
        assert_eq!(
            (
                &error["node_id"],
                &error["node_type"],
                &error["exception_message"]
            ),
            (&json!("m2"), &json!("Meet"), &json!(message))
        );
    }
}

#[test]
fn another_failure_ends_them() {
    let meeting = Meeting::of(1);
    let (bench, _) = bench(&meeting, CachePolicy::Classic);
    let entry = bench.run(json!({
        "1": node("Constant", json!({"value": 1})),
        "e": node("Endless", json!({"a": ["1", 0]})),
        "p": node("MeetInPerson", json!({"a": ["1", 0], "fails": true})),
        "s1": show("e"),
        "s2": show("p"),
    }));
    assert!(!entry.status.completed);
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(error["node_id"], "p");
    wait_until("the end of the other node", || {
        meeting.over.load(Ordering::Relaxed) == 1
    });
    assert_eq!(meeting.begun.load(Ordering::Relaxed), 1);
}

#[test]
fn an_interrupt_ends_them() {
    let meeting = Meeting::of(1);
    let (bench, _) = bench(&meeting, CachePolicy::Classic);
    let submitted = bench.submit(json!({
        "1": node("Constant", json!({"value": 1})),
        "e": node("Endless", json!({"a": ["1", 0]})),
        "s": show("e"),
    }));
    wait_until("the node", || meeting.begun.load(Ordering::Relaxed) == 1);
    bench.engine.interrupt(None);
    let entry = bench.wait_for(&submitted.prompt_id);
    assert!(!entry.status.completed);
    let [interrupted] = bench
        .recorder
        .data_of("execution_interrupted")
        .try_into()
        .unwrap();
    assert_eq!(interrupted["node_id"], "e");
    wait_until("the end of the node", || {
        meeting.over.load(Ordering::Relaxed) == 1
    });
}
