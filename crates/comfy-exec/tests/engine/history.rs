//! What is kept of finished prompts, and when.

use std::sync::Arc;

use comfy_api::events::{Event, TextEvent};
use comfy_exec::{CachePolicy, PromptState};
use parking_lot::Mutex;
use serde_json::json;

use crate::recorder::Bench;
use crate::toys::{quick, registry, services, waiting};

fn bench() -> Bench {
    Bench::new(registry(), services().0, CachePolicy::Classic)
}

#[test]
fn it_is_complete_before_anyone_hears_that_the_prompt_has_ended() {
    let bench = bench();
    let engine = bench.engine.clone();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = seen.clone();
    bench.recorder.react(move |_, event| {
        let Event::Text(event) = event else { return };
        let ended = match event {
            TextEvent::ExecutionSuccess(_) => "success",
            TextEvent::Status(status) if status.status.exec_info.queue_remaining == 0 => "status",
            TextEvent::Executing(executing) if executing.node.is_none() => "end",
            _ => return,
        };
        let entry = engine
            .history_entry("mine")
            .expect("the history is complete");
        assert_eq!(entry.status.messages.last().unwrap().0, "execution_success");
        assert_eq!(engine.queue_remaining(), 0);
        noted.lock().push(ended.to_owned());
    });
    bench.submit_with(quick(1), |submission| {
        submission.prompt_id = Some("mine".to_owned());
    });
    bench.wait_for("mine");
    assert_eq!(*seen.lock(), ["success", "status", "end"]);
}

#[test]
fn credentials_are_given_to_nodes_and_shown_to_nobody() {
    let bench = bench();
    let submitted = bench.submit_with(quick(1), |submission| {
        for key in ["auth_token_comfy_org", "api_key_comfy_org", "extra_pnginfo"] {
            submission
                .extra_data
                .insert(key.to_owned(), json!("secret"));
        }
    });
    let entry = bench.wait_for(&submitted.prompt_id);
    assert_eq!(
        serde_json::to_value(&*entry.prompt.extra_data).unwrap(),
        json!({"extra_pnginfo": "secret", "client_id": "me"})
    );
}

#[test]
fn a_client_id_in_extra_data_counts() {
    let bench = bench();
    let submitted = bench.submit_with(quick(1), |submission| {
        submission.client_id = None;
        submission
            .extra_data
            .insert("client_id".to_owned(), json!("me"));
    });
    bench.wait_for(&submitted.prompt_id);
    assert_eq!(bench.recorder.data_of("execution_success").len(), 1);
}

#[test]
fn the_oldest_entries_go() {
    let bench = Bench::with(registry(), services().0, |options| options.max_history = 3);
    let ids: Vec<String> = (0..5)
        .map(|value| bench.submit(quick(value)).prompt_id)
        .collect();
    bench.recorder.wait_for_empty_queue();
    let history = bench.engine.history(None, None);
    assert_eq!(
        history.0.keys().collect::<Vec<_>>(),
        ids[2..].iter().collect::<Vec<_>>()
    );
    assert_eq!(bench.engine.history(Some(2), None).0.len(), 2);
    assert_eq!(bench.engine.state_of(&ids[0]), PromptState::Unknown);
    assert_eq!(bench.engine.state_of(&ids[4]), PromptState::Finished);
    bench
        .engine
        .delete_history(&[ids[3].clone(), "unknown".to_owned()]);
    assert_eq!(bench.engine.history(None, None).0.len(), 2);
    bench.engine.clear_history();
    assert!(bench.engine.history(None, None).0.is_empty());
}

#[test]
fn polling_it_shares_the_entries() {
    let bench = bench();
    let entry = bench.run(quick(1));
    let [first, second] = [(); 2].map(|()| bench.engine.history(None, None));
    assert!(Arc::ptr_eq(&first.0[0], &second.0[0]) && Arc::ptr_eq(&first.0[0], &entry));
    assert!(Arc::ptr_eq(
        &entry.prompt.prompt,
        &bench
            .engine
            .history_entry(&entry.prompt.prompt_id)
            .unwrap()
            .prompt
            .prompt
    ));
}

#[test]
fn completions_resolve_early_late_and_twice() {
    let bench = bench();
    assert!(bench.engine.completion("unknown").is_none());
    let id = bench.submit(waiting(1, 20)).prompt_id;
    let [first, second] = [(); 2].map(|()| bench.engine.completion(&id).unwrap());
    let entry = first.blocking_recv().unwrap();
    assert!(Arc::ptr_eq(&entry, &second.blocking_recv().unwrap()));
    let late = bench.engine.completion(&id).unwrap();
    assert!(Arc::ptr_eq(&entry, &late.blocking_recv().unwrap()));
}

#[test]
fn nodes_that_show_nothing_are_not_in_it() {
    let bench = bench();
    let entry = bench.run(quick(7));
    assert_eq!(
        serde_json::to_value(&entry.outputs).unwrap(),
        json!({"2": {"number": [7]}})
    );
    assert_eq!(entry.meta.keys().collect::<Vec<_>>(), ["2"]);
}
