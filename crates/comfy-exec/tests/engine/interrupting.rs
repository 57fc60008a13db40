//! Stopping a prompt between nodes and within one.

use comfy_api::events::{Event, TextEvent};
use comfy_exec::{Audience, CachePolicy, PromptState};
use serde_json::json;

use crate::recorder::Bench;
use crate::toys::{node, quick, registry, services, waiting};

fn bench() -> Bench {
    Bench::new(registry(), services().0, CachePolicy::Classic)
}

fn wait_for_progress(bench: &Bench) {
    bench.recorder.wait_until("progress", |events| {
        events
            .iter()
            .any(|(_, event)| matches!(event, Event::Text(TextEvent::Progress(_))))
    });
}

#[test]
fn within_a_node() {
    let bench = bench();
    let submitted = bench.submit(waiting(1, 100_000));
    wait_for_progress(&bench);
    bench.engine.interrupt(None);
    let entry = bench.wait_for(&submitted.prompt_id);
    assert!(!entry.status.completed);
    let [data] = bench
        .recorder
        .data_of("execution_interrupted")
        .try_into()
        .unwrap();
    assert_eq!(
        (&data["node_id"], &data["node_type"], &data["executed"]),
        (&json!("1"), &json!("Wait"), &json!([]))
    );
    assert_eq!(
        entry.status.messages.last().unwrap().0,
        "execution_interrupted"
    );
    // The interrupt is over: the next prompt runs.
    assert!(bench.run(quick(1)).status.completed);
}

#[test]
fn between_two_nodes() {
    let bench = bench();
    let engine = bench.engine.clone();
    bench.recorder.react(move |_, event| {
        if matches!(event, Event::Text(TextEvent::Executed(executed)) if executed.node == "2") {
            engine.interrupt(None);
        }
    });
    let mut prompt = quick(1);
    prompt["3"] = node("Sum", json!({"a": ["1", 0]}));
    prompt["4"] = node("Show", json!({"value": ["3", 0]}));
    bench.run(prompt);
    let [data] = bench
        .recorder
        .data_of("execution_interrupted")
        .try_into()
        .unwrap();
    assert_eq!(
        (&data["node_id"], &data["executed"]),
        (&json!("3"), &json!(["1", "2"]))
    );
}

#[test]
fn only_the_prompt_that_is_named() {
    let bench = bench();
    let first = bench.submit(waiting(1, 100_000));
    let second = bench.submit(waiting(1, 3));
    wait_for_progress(&bench);
    bench.engine.interrupt(Some(&second.prompt_id));
    bench.engine.interrupt(Some("nobody"));
    assert_eq!(
        bench.engine.state_of(&first.prompt_id),
        PromptState::Running
    );
    assert_eq!(
        bench.engine.state_of(&second.prompt_id),
        PromptState::Pending
    );
    bench.engine.interrupt(Some(&first.prompt_id));
    assert!(!bench.wait_for(&first.prompt_id).status.completed);
    assert!(bench.wait_for(&second.prompt_id).status.completed);
}

#[test]
fn an_interrupt_while_idle_does_nothing() {
    let bench = bench();
    bench.engine.interrupt(None);
    assert!(bench.run(quick(1)).status.completed);
}

#[test]
fn everyone_hears_of_it_if_the_prompt_has_no_client() {
    let bench = bench();
    let submitted = bench.submit_with(waiting(1, 100_000), |submission| {
        submission.client_id = None;
    });
    wait_for_progress(&bench);
    let completion = bench.engine.completion(&submitted.prompt_id).unwrap();
    bench.engine.interrupt(None);
    assert!(!completion.blocking_recv().unwrap().status.completed);
    bench.recorder.wait_for_empty_queue();
    let kinds: Vec<(Audience, String)> = bench
        .recorder
        .take()
        .into_iter()
        .filter_map(|(audience, event)| match event {
            Event::Text(event) => Some((
                audience,
                serde_json::to_value(event).unwrap()["type"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            )),
            Event::Preview(_) | Event::NodeText(_) => None,
        })
        .collect();
    assert!(kinds.iter().all(|(audience, _)| *audience == Audience::All));
    let mut names: Vec<&str> = kinds.iter().map(|(_, kind)| kind.as_str()).collect();
    names.dedup();
    assert_eq!(names[..2], ["status", "progress_state"]);
    assert_eq!(
        names[names.len() - 2..],
        ["execution_interrupted", "status"]
    );
    for absent in [
        "execution_start",
        "execution_cached",
        "executing",
        "executed",
    ] {
        assert!(!names.contains(&absent), "{absent}");
    }
}
