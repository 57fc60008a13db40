//! Last nodes that finish while the next prompt has begun.

use std::sync::Arc;
use std::time::Duration;

use comfy_api::events::{Event, TextEvent};
use comfy_exec::{CachePolicy, PromptState};
use comfy_graph::{Finish, Node, NodeContext, NodeError, NodeRegistry, NodeSpec};
use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};

use crate::recorder::{Bench, started, wait_until};
use crate::toys::{Ledger, Tracked, node, quick, services};

/// A door that is shut until somebody opens it.
#[derive(Default)]
struct Door {
    is_open: Mutex<bool>,
    opens: Condvar,
    /// How many came to it.
    came: Mutex<usize>,
}

impl Door {
    fn open(&self) {
        *self.is_open.lock() = true;
        self.opens.notify_all();
    }

    fn pass(&self) {
        *self.came.lock() += 1;
        let mut is_open = self.is_open.lock();
        let wait = Duration::from_secs(20);
        let late = self
            .opens
            .wait_while_for(&mut is_open, |is_open| !*is_open, wait);
        assert!(!late.timed_out(), "nobody opened");
    }

    fn wait_for_somebody(&self) {
        wait_until("somebody at the door", || *self.came.lock() > 0);
    }
}

/// Writes a number behind the door.
#[derive(NodeSpec)]
#[node(id = "Write", category = "toy", output_node)]
struct Write {
    /// The number.
    value: Tracked,
    /// What else happens.
    then: Option<String>,
}

impl Node for Write {
    type Output = Finish;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        context.service::<Ledger>()?.note(context);
        let door = context.service::<Door>()?;
        Ok(Finish::new(move |context| {
            door.pass();
            context.check_interrupt()?;
            match self.then.as_deref() {
                Some("fail") => return Err(NodeError::value("the disk is full")),
                Some("panic") => panic!("on purpose"),
                _ => {}
            }
            context.add_ui("written", json!(self.value.value()));
            Ok(())
        }))
    }
}

fn registry() -> NodeRegistry {
    let mut registry = crate::graph_toys::registry();
    registry.register::<Write>().unwrap();
    registry
}

fn bench(cache: CachePolicy) -> (Bench, Arc<Door>, Arc<Ledger>) {
    let (mut services, ledger) = services();
    let door = Arc::new(Door::default());
    services.insert(Arc::clone(&door));
    (Bench::new(registry(), services, cache), door, ledger)
}

fn writing(value: i64, then: Option<&str>) -> Value {
    json!({
        "1": node("Constant", json!({"value": value})),
        "2": node("Write", json!({"value": ["1", 0], "then": then})),
    })
}

/// The prompt that an event is about, and its kind.
fn told(bench: &Bench) -> Vec<(String, String)> {
    let texts = bench.recorder.texts().into_iter();
    let told = texts.map(|event| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        (text(&event["data"]["prompt_id"]), text(&event["type"]))
    });
    told.filter(|(prompt, _)| !prompt.is_empty()).collect()
}

const POLICIES: [CachePolicy; 4] = [
    CachePolicy::Classic,
    CachePolicy::Lru(10),
    CachePolicy::Ram(1_000_000),
    CachePolicy::None,
];

#[test]
fn the_next_prompt_begins_and_is_heard_afterwards() {
    for cache in POLICIES {
        let (bench, door, ledger) = bench(cache);
        let first = bench.submit(writing(1, None)).prompt_id;
        door.wait_for_somebody();
        let second = bench.submit(quick(2)).prompt_id;
        let both = ["1", "2", "1"];
        wait_until("the next prompt's first node", || {
            *ledger.ran.lock() == both
        });
        // Output nodes keep the order of their prompts.
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(*ledger.ran.lock(), both);
        assert!(told(&bench).iter().all(|(prompt, _)| *prompt == first));
        let queue = bench.engine.queue();
        let running: Vec<_> = queue
            .queue_running
            .iter()
            .map(|row| &row.prompt_id)
            .collect();
        assert_eq!(running, [&first, &second]);
        assert_eq!(bench.engine.queue_remaining(), 2);
        assert_eq!(bench.engine.state_of(&first), PromptState::Running);
        assert_eq!(bench.engine.running().unwrap().prompt_id, first);
        assert_eq!(bench.engine.running().unwrap().node.as_deref(), Some("2"));

        door.open();
        let entry = bench.wait_for(&second);
        assert_eq!(entry.outputs["2"]["number"], json!([2]));
        let entry = bench.engine.history_entry(&first).unwrap();
        assert!(entry.status.completed);
        assert_eq!(entry.outputs["2"]["written"], json!([1]));
        let told = told(&bench);
        let turn = told.iter().position(|(prompt, _)| *prompt == second);
        let (of_first, of_second) = told.split_at(turn.unwrap());
        assert!(of_first.iter().all(|(prompt, _)| *prompt == first));
        assert!(of_second.iter().all(|(prompt, _)| *prompt == second));
        assert_eq!(of_first.last().unwrap().1, "executing");
        assert_eq!(of_second[0].1, "execution_start");
    }
}

/// What clients hear is the same, event by event, whether the second prompt comes in time to begin early or not.
#[test]
fn clients_cannot_tell() {
    let heard = |is_early: bool| {
        let (bench, door, _) = bench(CachePolicy::Classic);
        let first = bench.submit(writing(1, None)).prompt_id;
        door.wait_for_somebody();
        if !is_early {
            door.open();
            bench.wait_for(&first);
            bench.recorder.wait_for_empty_queue();
        }
        let second = bench.submit(quick(2)).prompt_id;
        if is_early {
            wait_until("the second to begin", || {
                bench.engine.queue().queue_running.len() == 2
            });
            door.open();
        }
        bench.wait_for(&second);
        let events = bench.recorder.texts().into_iter();
        let kinds: Vec<_> = events
            .filter(|event| event["type"] != "status")
            .map(|event| {
                let data = &event["data"];
                let second = data["prompt_id"] == second;
                (
                    event["type"].clone(),
                    data["node"].clone(),
                    data["output"].clone(),
                    second,
                )
            })
            .collect();
        kinds
    };
    assert_eq!(heard(true), heard(false));
}

#[test]
fn the_length_of_the_queue_never_rises_while_it_is_worked_off() {
    let (bench, door, _) = bench(CachePolicy::Classic);
    bench.submit(writing(1, None));
    door.wait_for_somebody();
    let last = bench.submit(quick(2)).prompt_id;
    wait_until("the second to begin", || {
        bench.engine.queue().queue_running.len() == 2
    });
    bench.recorder.take();
    door.open();
    bench.wait_for(&last);
    bench.recorder.wait_for_empty_queue();
    let lengths: Vec<_> = bench
        .recorder
        .data_of("status")
        .iter()
        .map(|data| {
            data["status"]["exec_info"]["queue_remaining"]
                .as_u64()
                .unwrap()
        })
        .collect();
    // When the first ends, when the second is heard to begin, when it ends.
    assert_eq!(lengths, [1, 1, 0]);
}

#[test]
fn a_failure_or_a_panic_is_that_of_its_prompt() {
    for (then, message) in [
        ("fail", "the disk is full\n"),
        ("panic", "the node panicked: on purpose\n"),
    ] {
        let (bench, door, _) = bench(CachePolicy::Classic);
        let first = bench.submit(writing(1, Some(then))).prompt_id;
        door.wait_for_somebody();
        let second = bench.submit(quick(2)).prompt_id;
        door.open();
        assert!(bench.wait_for(&second).status.completed);
        let entry = bench.engine.history_entry(&first).unwrap();
        assert!(!entry.status.completed);
        let [error] = bench
            .recorder
            .data_of("execution_error")
            .try_into()
            .unwrap();
        assert_eq!(error["prompt_id"], first);
        assert_eq!(error["node_id"], "2");
        assert_eq!(error["exception_message"], message);
        assert_eq!(error["current_inputs"]["value"], json!([1]));
        // It is not taken for a result.
        let again = bench.run(writing(1, None));
        assert_eq!(again.outputs["2"]["written"], json!([1]));
    }
}

#[test]
fn the_same_prompt_again_waits_for_the_result_and_has_it() {
    for (cache, nodes) in POLICIES.into_iter().zip([2, 2, 2, 4]) {
        let (bench, door, ledger) = bench(cache);
        let first = bench.submit(writing(1, None)).prompt_id;
        door.wait_for_somebody();
        let second = bench.submit(writing(1, None)).prompt_id;
        std::thread::sleep(Duration::from_millis(20));
        door.open();
        let entry = bench.wait_for(&second);
        assert_eq!(entry.outputs["2"]["written"], json!([1]));
        assert_eq!(ledger.take_ran().len(), nodes, "{cache:?}");
        assert!(bench.engine.history_entry(&first).unwrap().status.completed);
    }
}

#[test]
fn results_are_kept_as_if_they_had_come_in_time() {
    for (cache, nodes) in POLICIES.into_iter().zip([2, 0, 0, 2]) {
        let (bench, door, ledger) = bench(cache);
        bench.submit(writing(1, None));
        door.wait_for_somebody();
        let second = bench.submit(quick(2)).prompt_id;
        wait_until("the second to begin", || {
            bench.engine.queue().queue_running.len() == 2
        });
        door.open();
        bench.wait_for(&second);
        ledger.take_ran();
        let again = bench.run(writing(1, None));
        assert_eq!(again.outputs["2"]["written"], json!([1]));
        assert_eq!(ledger.take_ran().len(), nodes, "{cache:?}");
    }
}

#[test]
fn an_interrupt_is_for_the_prompt_that_clients_see() {
    let (bench, door, ledger) = bench(CachePolicy::Classic);
    let first = bench.submit(writing(1, None)).prompt_id;
    door.wait_for_somebody();
    let second = bench.submit(quick(2)).prompt_id;
    wait_until("the second to begin", || ledger.ran.lock().len() == 3);
    assert!(bench.engine.interrupt(None));
    door.open();
    assert!(bench.wait_for(&second).status.completed);
    let [interrupted] = bench
        .recorder
        .data_of("execution_interrupted")
        .try_into()
        .unwrap();
    assert_eq!(interrupted["prompt_id"], first);

    // By its id the other one can be interrupted, too.
    let (bench, door, ledger) = self::bench(CachePolicy::Classic);
    let first = bench.submit(writing(1, None)).prompt_id;
    door.wait_for_somebody();
    let second = bench.submit(quick(2)).prompt_id;
    wait_until("the second to begin", || ledger.ran.lock().len() == 3);
    assert!(bench.engine.interrupt(Some(&second)));
    door.open();
    assert!(!bench.wait_for(&second).status.completed);
    assert!(bench.engine.history_entry(&first).unwrap().status.completed);
}

#[test]
fn it_is_waited_for_when_the_engine_stops() {
    let (bench, door, _) = bench(CachePolicy::Classic);
    let prompt = bench.submit(writing(1, None)).prompt_id;
    door.wait_for_somebody();
    let end = bench.engine.completion(&prompt).unwrap();
    let opener = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        door.open();
    });
    let outcome = bench.engine.shutdown(Duration::from_secs(20));
    opener.join().unwrap();
    assert!(outcome.stopped && outcome.interrupted.is_none());
    assert!(end.blocking_recv().unwrap().status.completed);
}

#[test]
fn what_is_not_last_finishes_at_once() {
    let (bench, door, _) = bench(CachePolicy::Classic);
    door.open();
    let mut prompt = writing(1, None);
    prompt["3"] = node("Constant", json!({"value": 3}));
    prompt["4"] = node("Write", json!({"value": ["3", 0]}));
    let entry = bench.run(prompt);
    assert_eq!(entry.outputs["2"]["written"], json!([1]));
    assert_eq!(entry.outputs["4"]["written"], json!([3]));
    let shown: Vec<_> = bench
        .recorder
        .take()
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::Text(TextEvent::Executing(executing)) => executing.node,
            Event::Text(TextEvent::Executed(executed)) => Some(format!("{} done", executed.node)),
            _ => None,
        })
        .collect();
    let place = |what: &str| shown.iter().position(|shown| shown == what).unwrap();
    assert!(place("2") < place("2 done") && place("4") < place("4 done"));
    assert!(place("2 done") < place("4") || place("4 done") < place("2"));
    assert_eq!(started(&bench.recorder).len(), 0, "the events were taken");
}

/// Idle once after each time that something ran, and whenever memory is freed.
#[test]
fn the_engine_tells_that_it_is_idle() {
    let told = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&told);
    let (services, _) = services();
    let bench = Bench::with(registry(), services, |options| {
        options.idle_after = Duration::from_millis(30);
        options.on_idle = Box::new(move || *counter.lock() += 1);
    });
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(*told.lock(), 0);
    bench.run(quick(1));
    bench.run(quick(2));
    wait_until("the engine to be idle", || *told.lock() == 1);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(*told.lock(), 1);
    bench.engine.free(comfy_exec::FreeRequest::default());
    wait_until("word of the free memory", || *told.lock() == 2);
}

/// For each of a list's values a file is written.
#[test]
fn several_calls_finish_in_order() {
    let (bench, door, _) = bench(CachePolicy::Classic);
    door.open();
    let entry = bench.run(json!({
        "1": node("Range", json!({"count": 3})),
        "2": node("Write", json!({"value": ["1", 0]})),
    }));
    assert_eq!(entry.outputs["2"]["written"], json!([0, 1, 2]));
}
