//! Nodes that fail, panic or run out of memory cost their prompt and nothing else.

use std::sync::Arc;

use comfy_api::history::StatusText;
use comfy_api::queue::FreeRequest;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::recorder::Bench;
use crate::toys::{node, quick, registry, services};

fn failing(how: &str) -> Value {
    json!({
        "1": node("Constant", json!({"value": 5})),
        "3": node("Fail", json!({"a": ["1", 0], "how": how})),
        "2": node("Show", json!({"value": ["3", 0]})),
    })
}

#[test]
fn a_failure_tells_who_and_why() {
    let bench = Bench::new(registry(), services().0, comfy_exec::CachePolicy::Classic);
    let entry = bench.run(failing("value"));
    assert_eq!(
        (entry.status.status_str, entry.status.completed),
        (StatusText::Error, false)
    );
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(error["node_id"], "3");
    assert_eq!(error["node_type"], "Fail");
    assert_eq!(error["exception_type"], "ValueError");
    assert_eq!(error["exception_message"], "5 is a bad number\n");
    assert_eq!(error["executed"], json!(["1"]));
    assert_eq!(error["current_inputs"], json!({"a": [5], "how": ["value"]}));
    assert_eq!(error["current_outputs"], json!(["1", "3", "2"]));
    let trace = error["traceback"].to_string();
    assert!(trace.contains("node 3 of class Fail"), "{trace}");
    let last = entry.status.messages.last().unwrap();
    assert_eq!((last.0.as_str(), &last.1), ("execution_error", &error));
    assert!(bench.recorder.data_of("execution_success").is_empty());
}

#[test]
fn a_panic_fails_its_prompt_and_the_worker_goes_on() {
    let bench = Bench::new(registry(), services().0, comfy_exec::CachePolicy::Classic);
    bench.run(failing("panic"));
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(
        error["exception_message"],
        "the node panicked: on purpose\n"
    );
    assert!(bench.run(quick(1)).status.completed);
}

#[test]
fn out_of_memory_unloads_the_models_before_anyone_hears_of_it() {
    let freed: Arc<Mutex<Vec<FreeRequest>>> = Arc::default();
    let seen = freed.clone();
    let bench = Bench::with(registry(), services().0, |options| {
        options.on_free = Box::new(move |request| seen.lock().push(request));
    });
    let freed_before = freed.clone();
    bench.recorder.react(move |_, event| {
        let text = format!("{event:?}");
        assert!(!text.contains("OutOfMemoryError") || !freed_before.lock().is_empty());
    });
    bench.run(failing("memory"));
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(error["exception_type"], "torch.OutOfMemoryError");
    assert_eq!(
        *freed.lock(),
        [FreeRequest {
            unload_models: true,
            free_memory: false
        }]
    );
}

#[test]
fn freeing_may_panic_too() {
    let bench = Bench::with(registry(), services().0, |options| {
        options.on_free = Box::new(|_| panic!("on purpose"));
    });
    bench.engine.free(FreeRequest {
        unload_models: true,
        free_memory: false,
    });
    assert!(bench.run(quick(1)).status.completed);
}

#[test]
fn a_link_at_an_undeclared_input_fails_and_a_value_there_is_ignored() {
    let bench = Bench::new(registry(), services().0, comfy_exec::CachePolicy::Classic);
    let mut prompt = quick(1);
    prompt["2"]["inputs"]["foo"] = json!(7);
    assert!(bench.run(prompt.clone()).status.completed);
    prompt["2"]["inputs"]["foo"] = json!(["1", 0]);
    bench.run(prompt);
    let [error] = bench
        .recorder
        .data_of("execution_error")
        .try_into()
        .unwrap();
    assert_eq!(error["exception_type"], "TypeError");
    assert!(
        error["exception_message"]
            .as_str()
            .unwrap()
            .contains("got an unexpected keyword argument 'foo'"),
        "{error}"
    );
}
