//! Shutting down: what runs ends, what waits is told, nothing new comes in.

use std::time::{Duration, Instant};

use comfy_exec::{CachePolicy, ShutdownOutcome, Submission, SubmitError};

use crate::recorder::Bench;
use crate::toys::{quick, registry, services, waiting};

fn bench() -> Bench {
    Bench::new(registry(), services().0, CachePolicy::Classic)
}

fn wait_until_running(bench: &Bench) {
    while bench
        .engine
        .running()
        .is_none_or(|running| running.node.is_none())
    {
        std::thread::yield_now();
    }
}

#[test]
fn an_idle_engine_stops_at_once() {
    let bench = bench();
    let outcome = bench.engine.shutdown(Duration::from_secs(10));
    assert_eq!(
        outcome,
        ShutdownOutcome {
            stopped: true,
            ..ShutdownOutcome::default()
        }
    );
    let error = bench
        .engine
        .submit(Submission {
            prompt: quick(1),
            ..Submission::default()
        })
        .unwrap_err();
    assert!(matches!(error, SubmitError::ShuttingDown));
}

#[test]
fn the_running_prompt_may_end_and_the_others_are_named() {
    let bench = bench();
    let running = bench.submit(waiting(1, 50)).prompt_id;
    wait_until_running(&bench);
    let waiting = bench.submit(quick(1)).prompt_id;
    let (ends, never) = (
        bench.engine.completion(&running).unwrap(),
        bench.engine.completion(&waiting).unwrap(),
    );
    let outcome = bench.engine.shutdown(Duration::from_secs(20));
    assert_eq!(
        outcome,
        ShutdownOutcome {
            not_run: vec![waiting],
            interrupted: None,
            stopped: true
        }
    );
    assert!(ends.blocking_recv().unwrap().status.completed);
    assert!(never.blocking_recv().is_err());
}

#[test]
fn after_the_grace_it_is_interrupted() {
    let bench = bench();
    let running = bench.submit(waiting(1, 1_000_000)).prompt_id;
    wait_until_running(&bench);
    let completion = bench.engine.completion(&running).unwrap();
    let outcome = bench.engine.shutdown(Duration::from_millis(20));
    assert_eq!(
        outcome,
        ShutdownOutcome {
            not_run: Vec::new(),
            interrupted: Some(running),
            stopped: true
        }
    );
    assert!(!completion.blocking_recv().unwrap().status.completed);
}

#[test]
fn a_node_that_does_not_listen_keeps_nobody_waiting() {
    let bench = bench();
    let running = bench.submit(waiting(6000, 1)).prompt_id;
    wait_until_running(&bench);
    let completion = bench.engine.completion(&running).unwrap();
    let begin = Instant::now();
    let outcome = bench.engine.shutdown(Duration::from_millis(10));
    assert_eq!(
        outcome,
        ShutdownOutcome {
            not_run: Vec::new(),
            interrupted: Some(running),
            stopped: false
        }
    );
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert!(completion.blocking_recv().is_err());
}

#[test]
fn dropping_the_last_handle_ends_the_worker() {
    let (services, ledger) = services();
    let bench = Bench::new(registry(), services, CachePolicy::Classic);
    bench.run(quick(1));
    assert_eq!(ledger.alive(), 1);
    let other = bench.engine.clone();
    drop(bench);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(ledger.alive(), 1, "a handle is left");
    drop(other);
    let deadline = Instant::now() + Duration::from_secs(20);
    while ledger.alive() > 0 {
        assert!(
            Instant::now() < deadline,
            "the worker still holds its cache"
        );
        std::thread::yield_now();
    }
}
