//! Where prompts are, how far they are, and stopping them there.

use comfy_exec::{CachePolicy, KnownJob, Stage};

use crate::recorder::Bench;
use crate::toys::{quick, registry, services, waiting};

fn bench() -> Bench {
    Bench::new(registry(), services().0, CachePolicy::Classic)
}

fn position(job: Option<KnownJob>) -> Option<usize> {
    match job?.stage {
        Stage::Pending { position, .. } => Some(position),
        _ => None,
    }
}

#[test]
fn a_prompt_is_followed_from_the_queue_to_the_history() {
    let bench = bench();
    let running = bench.submit(waiting(1, 1_000_000)).prompt_id;
    // The worker may take a moment; a node that runs has reported by then.
    let progress = loop {
        match bench.engine.job(&running).expect("it is known").stage {
            Stage::Running { progress, .. } if progress.node.is_some() => break progress,
            _ => std::thread::yield_now(),
        }
    };
    let first = bench.submit(quick(1)).prompt_id;
    let second = bench.submit(quick(2)).prompt_id;
    let front = bench
        .submit_with(quick(3), |submission| submission.front = true)
        .prompt_id;
    assert_eq!(progress.nodes_done, 0);
    assert!(
        progress.nodes_total >= 1 && (0.0..1.0).contains(&progress.value),
        "{progress:?}"
    );
    let places = [&front, &first, &second].map(|id| position(bench.engine.job(id)));
    assert_eq!(places, [Some(1), Some(2), Some(3)]);
    assert!(bench.engine.job("nobody").is_none());

    let all: Vec<String> = bench
        .engine
        .jobs()
        .iter()
        .map(|job| job.row().prompt_id.clone())
        .collect();
    assert_eq!(all, [&running, &front, &first, &second].map(String::clone));

    assert!(bench.engine.cancel(&first), "it waits");
    assert!(bench.engine.job(&first).is_none());
    assert!(!bench.engine.cancel(&first), "it is gone");
    assert!(bench.engine.cancel(&running), "it runs");
    let created = loop {
        let job = bench.engine.job(&second).expect("it is known");
        if let Stage::Finished(entry) = job.stage {
            assert!(entry.status.completed);
            break job.created;
        }
        std::thread::yield_now();
    };
    assert!(!bench.engine.cancel(&second), "it has ended");
    let ended = bench.engine.job(&running).expect("it is known");
    let Stage::Finished(entry) = &ended.stage else {
        panic!("it was interrupted: {ended:?}");
    };
    assert!(!entry.status.completed && ended.created <= created);
    assert_eq!(bench.engine.jobs().len(), 3);
}
