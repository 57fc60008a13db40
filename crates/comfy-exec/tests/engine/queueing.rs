//! Priorities, limits, deleting, and what `GET /queue` shows.

use std::time::Duration;

use comfy_api::queue::QueueTuple;
use comfy_exec::{CachePolicy, PromptState, Submission, SubmitError};
use serde_json::{Number, Value, json};

use crate::recorder::Bench;
use crate::toys::{node, quick, registry, services, waiting};

fn bench() -> Bench {
    Bench::new(registry(), services().0, CachePolicy::Classic)
}

/// Occupies the worker until it is interrupted.
fn occupy(bench: &Bench) -> String {
    let submitted = bench.submit(waiting(1, 1_000_000));
    while bench
        .engine
        .running()
        .is_none_or(|running| running.node.is_none())
    {
        std::thread::yield_now();
    }
    submitted.prompt_id
}

fn float(number: f64) -> Option<Number> {
    Number::from_f64(number)
}

#[test]
fn numbers_are_comfyuis() {
    let bench = bench();
    let number = |number: Option<Number>, front: bool| {
        bench
            .submit_with(quick(1), |submission| {
                (submission.number, submission.front) = (number, front);
            })
            .number
            .to_string()
    };
    assert_eq!(number(None, true), "0");
    assert_eq!(number(None, false), "1");
    assert_eq!(number(Some(5.into()), false), "5.0");
    assert_eq!(number(float(-2.5), true), "-2.5");
    assert_eq!(number(None, true), "-2");
    assert!(
        bench
            .engine
            .submit(Submission {
                prompt: json!({}),
                ..Submission::default()
            })
            .is_err()
    );
    assert_eq!(number(None, false), "4");
    assert_eq!(bench.engine.take_number(None, true).to_string(), "-5");
    assert_eq!(number(None, false), "6");
}

#[test]
fn prompts_run_by_priority() {
    let bench = bench();
    occupy(&bench);
    for (id, number, front) in [
        ("late", None, false),
        ("later", None, false),
        ("front", None, true),
        ("fronter", None, true),
        ("half", float(0.5), false),
        ("b", float(9.0), false),
        ("a", float(9.0), false),
    ] {
        bench.submit_with(quick(1), |submission| {
            submission.prompt_id = Some(id.to_owned());
            submission.number = number;
            submission.front = front;
        });
    }
    let expected = ["fronter", "front", "half", "late", "later", "a", "b"];
    let queue = bench.engine.queue();
    let ids = |rows: &[QueueTuple]| {
        rows.iter()
            .map(|row| row.prompt_id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&queue.queue_pending), expected);
    assert_eq!(queue.queue_running.len(), 1);
    assert_eq!(bench.engine.queue_remaining(), 8);
    bench.engine.interrupt(None);
    bench.recorder.wait_for_empty_queue();
    let history = bench.engine.history(None, None);
    assert_eq!(
        history.0.keys().skip(1).collect::<Vec<_>>(),
        expected.iter().collect::<Vec<_>>()
    );
    let remaining: Vec<Value> = bench
        .recorder
        .data_of("status")
        .iter()
        .map(|data| data["status"]["exec_info"]["queue_remaining"].clone())
        .collect();
    let put_and_get = [1, 1, 2, 3, 4, 5, 6, 7, 8];
    let done_and_get = (1..=7).rev().flat_map(|count| [count, count]).chain([0]);
    assert_eq!(
        remaining,
        put_and_get
            .into_iter()
            .chain(done_and_get)
            .map(Value::from)
            .collect::<Vec<_>>()
    );
}

#[test]
fn the_queue_is_limited() {
    let bench = Bench::with(registry(), services().0, |options| {
        options.max_queue_size = 1;
    });
    occupy(&bench);
    bench.submit(quick(1));
    bench.submit(quick(2));
    let error = bench
        .engine
        .submit(Submission {
            prompt: quick(3),
            ..Submission::default()
        })
        .unwrap_err();
    assert!(
        matches!(
            error,
            SubmitError::QueueFull {
                waiting: 2,
                limit: 1
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the queue is full: 2 prompts wait and at most 1 may"
    );
    bench.engine.clear_pending();
    bench.submit(quick(3));
    bench.engine.interrupt(None);
}

#[test]
fn prompts_that_wait_can_be_deleted() {
    let bench = bench();
    let running = occupy(&bench);
    let [first, second, third] = [1, 2, 3].map(|value| bench.submit(quick(value)).prompt_id);
    let waiter = bench.engine.completion(&first).unwrap();
    let other = bench.engine.completion(&third).unwrap();
    bench.recorder.take();
    bench.engine.delete_pending(&[
        first.clone(),
        "unknown".to_owned(),
        running.clone(),
        second.clone(),
    ]);
    assert!(waiter.blocking_recv().is_err());
    assert_eq!(bench.engine.state_of(&first), PromptState::Unknown);
    assert_eq!(bench.engine.state_of(&running), PromptState::Running);
    let remaining = |bench: &Bench| {
        bench
            .recorder
            .data_of("status")
            .iter()
            .map(|data| {
                data["status"]["exec_info"]["queue_remaining"]
                    .as_u64()
                    .unwrap()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(remaining(&bench), [3, 2]);
    bench.engine.delete_pending(&["unknown".to_owned()]);
    assert_eq!(remaining(&bench), [3, 2]);
    bench.engine.clear_pending();
    assert_eq!(remaining(&bench), [3, 2, 1]);
    assert!(other.blocking_recv().is_err());
    bench.engine.interrupt(None);
    bench.wait_for(&running);
    assert_eq!(bench.engine.history(None, None).0.len(), 1);
}

#[test]
fn an_invalid_prompt_is_refused_in_comfyuis_words_and_nobody_hears_of_it() {
    let bench = bench();
    let submission = Submission {
        prompt: json!({"1": node("Nothing", json!({}))}),
        ..Submission::default()
    };
    let Err(SubmitError::Invalid(invalid)) = bench.engine.submit(submission) else {
        panic!("it is invalid")
    };
    assert_eq!(invalid.error.kind, "invalid_prompt");
    assert!(bench.recorder.take().is_empty());
}

#[test]
fn only_the_targets_run() {
    let bench = bench();
    let mut prompt = quick(1);
    prompt["4"] = node("Sum", json!({"a": ["1", 0]}));
    prompt["3"] = node("Show", json!({"value": ["4", 0]}));
    let submitted = bench.submit_with(prompt, |submission| {
        submission.targets = Some(vec!["3".to_owned()]);
    });
    let entry = bench.wait_for(&submitted.prompt_id);
    assert_eq!(entry.prompt.outputs_to_execute, ["3"]);
    assert_eq!(entry.outputs.keys().collect::<Vec<_>>(), ["3"]);
}

#[test]
fn the_running_prompt_is_known_with_its_node() {
    let bench = bench();
    assert_eq!(bench.engine.running(), None);
    let id = occupy(&bench);
    let running = bench.engine.running().unwrap();
    assert_eq!(
        (
            running.prompt_id,
            running.client_id.as_deref(),
            running.node.as_deref()
        ),
        (id.clone(), Some("me"), Some("1"))
    );
    bench.engine.interrupt(None);
    bench.wait_for(&id);
    assert_eq!(bench.engine.running(), None);
}

#[test]
fn a_client_has_time_to_read_the_answer_before_its_prompt_begins() {
    let bench = Bench::with(registry(), services().0, |_| ());
    let id = bench
        .submit_with(quick(1), |submission| {
            submission.head_start = Duration::from_mins(10);
        })
        .prompt_id;
    // It can be taken out of the queue until then.
    assert_eq!(bench.engine.state_of(&id), PromptState::Pending);
    bench.recorder.take();
    // A prompt that needs no such time goes first if it is more urgent.
    let other = bench.submit_with(quick(2), |submission| submission.front = true);
    bench
        .recorder
        .wait_until("the prompt of the other client", |_| {
            bench.engine.state_of(&other.prompt_id) == PromptState::Finished
        });
    assert_eq!(bench.engine.state_of(&id), PromptState::Pending);
    assert!(bench.engine.cancel(&id));
    assert_eq!(bench.engine.state_of(&id), PromptState::Unknown);
}
