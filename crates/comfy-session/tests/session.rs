//! Graphs inside a program: a recorded workflow as pixels, lists, failures, interruption.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use std::sync::mpsc::channel;
use std::time::Duration;

use comfy_graph::{List, Node, NodeContext, NodeError, NodeRegistry, NodeSpec, RegistryError};
use comfy_nodes::device::DeviceRequest;
use comfy_nodes::pictures::{ReadLimits, read};
use comfy_nodes::resize::bytes_from_units;
use comfy_nodes::sockets::Image;
use comfy_session::{Event, NodeOutput, PromptBuilder, RunError, Session, TextEvent};

/// Counts up to a number.
#[derive(NodeSpec)]
#[node(id = "Count", category = "test")]
struct Count {
    /// The last number.
    last: i64,
}

impl Node for Count {
    type Output = List<i64>;

    fn run(self, _: &mut NodeContext<'_>) -> Result<List<i64>, NodeError> {
        Ok((1..=self.last).collect::<Vec<_>>().into())
    }
}

/// Divides 100.
#[derive(NodeSpec)]
#[node(id = "Share", category = "test")]
struct Share {
    /// By what.
    by: i64,
}

impl Node for Share {
    type Output = i64;

    fn run(self, _: &mut NodeContext<'_>) -> Result<i64, NodeError> {
        let share = 100_i64.checked_div(self.by);
        share.ok_or_else(|| NodeError::value("expected anything but 0"))
    }
}

/// Goes on until somebody interrupts it.
#[derive(NodeSpec)]
#[node(id = "Endless", category = "test")]
struct Endless {}

impl Node for Endless {
    type Output = i64;

    fn run(self, context: &mut NodeContext<'_>) -> Result<i64, NodeError> {
        loop {
            context.progress(1, 2)?;
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<Count>()?
        .register::<Share>()?
        .register::<Endless>()?;
    Ok(())
}

fn session() -> Session {
    let builder = Session::builder().device(DeviceRequest::Cpu);
    builder.nodes(register).start().unwrap()
}

fn output(node: &str, slot: i64) -> NodeOutput {
    NodeOutput {
        node: node.to_owned(),
        slot,
    }
}

#[test]
fn a_recorded_workflow_gives_the_recorded_picture_as_pixels() {
    let session = session();
    let checkpoints = session.folders().base_dir().join("models/checkpoints");
    let checkpoint = comfy_fixtures::checkpoint("sd15_tiny");
    std::fs::copy(&checkpoint, checkpoints.join("sd15_tiny.safetensors")).unwrap();

    let prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
    let mut steps = Vec::new();
    let outcome = session.run(prompt, &[output("8", 0)], |event| {
        if let Event::Text(TextEvent::Progress(progress)) = event {
            steps.push((progress.node.clone(), progress.value.clone()));
        }
    });
    let outcome = outcome.unwrap();
    let expected: Vec<_> = (1..=4).map(|step| ("3".to_owned(), step.into())).collect();
    assert_eq!(steps, expected);

    let image: Image = outcome.value(0).unwrap();
    assert_eq!(image.shape(), [1, 64, 64, 3]);
    let recorded = comfy_fixtures::path("workflows/txt2img/out0.png");
    let recorded = read(&recorded, &ReadLimits::default()).unwrap();
    let pixels = bytes_from_units(&image.values().unwrap());
    comfy_fixtures::assert_same_picture("txt2img", &pixels, &recorded.frames[0].rgb);

    let saved = &outcome.entry.outputs["9"]["images"][0]["filename"];
    let saved = session.folders().output_dir().join(saved.as_str().unwrap());
    assert!(saved.is_file(), "output nodes run too");
}

#[test]
fn lists_come_as_lists_and_equal_runs_deliver_again() {
    let session = session();
    let mut graph = PromptBuilder::default();
    let count = graph.node("Count").set("last", 4).add();
    let shares = graph.node("Share").set("by", count.out(0)).add();
    let wanted = [shares.out(0), count.out(0)];
    for round in 0..2 {
        let mut ran = Vec::new();
        let outcome = session.run(graph.to_json().unwrap(), &wanted, |event| {
            if let Event::Text(TextEvent::Executing(executing)) = event {
                ran.extend(executing.node.clone());
            }
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.values::<i64>(0).unwrap(), [100, 50, 33, 25]);
        assert_eq!(outcome.values::<i64>(1).unwrap(), [1, 2, 3, 4]);
        assert_eq!(outcome.value::<i64>(1).unwrap(), 1);
        assert!(outcome.value::<Image>(0).is_err());
        assert!(outcome.value::<i64>(2).is_err());
        let computed = ran.iter().any(|id| id == shares.id());
        assert_eq!(computed, round == 0, "{ran:?}");
    }
}

#[test]
fn failures_name_their_node_and_refusals_come_at_once() {
    let session = session();
    let mut graph = PromptBuilder::default();
    let share = graph.node("Share").set("by", 0).add();
    let failed = session.run(graph.to_json().unwrap(), &[share.out(0)], |_| ());
    let Err(RunError::Failed(failure)) = failed else {
        panic!("expected a failure, got {failed:?}");
    };
    assert_eq!(
        (failure.node.as_str(), failure.kind.as_str()),
        (share.id(), "ValueError")
    );
    assert_eq!(failure.message, "expected anything but 0");

    graph.edit(&share).set("by", "three");
    let refused = session.run(graph.to_json().unwrap(), &[share.out(0)], |_| ());
    assert!(matches!(refused, Err(RunError::Refused(_))), "{refused:?}");
    for prompt in [serde_json::json!([]), serde_json::json!({})] {
        let refused = session.run(prompt, &[], |_| ());
        assert!(matches!(refused, Err(RunError::Refused(_))), "{refused:?}");
    }
}

#[test]
fn a_run_can_be_interrupted_or_thrown_out_of_the_queue() {
    let session = session();
    let mut graph = PromptBuilder::default();
    let endless = graph.node("Endless").add();
    let prompt = graph.to_json().unwrap();
    std::thread::scope(|scope| {
        let (sender, began) = channel();
        let running = scope.spawn(|| {
            session.run(prompt.clone(), &[endless.out(0)], move |event| {
                if matches!(event, Event::Text(TextEvent::Progress(_))) {
                    sender
                        .send(())
                        .expect("the test waits for the end of this run");
                }
            })
        });
        began.recv().unwrap();
        let waiting = scope.spawn(|| session.run(prompt.clone(), &[endless.out(0)], |_| ()));
        while session.engine().queue_remaining() < 2 {
            std::thread::sleep(Duration::from_millis(5));
        }
        session.engine().clear_pending();
        assert!(matches!(
            waiting.join().unwrap(),
            Err(RunError::Interrupted)
        ));
        session.interrupt();
        assert!(matches!(
            running.join().unwrap(),
            Err(RunError::Interrupted)
        ));
        drop(began);
    });
    let mut graph = PromptBuilder::default();
    let share = graph.node("Share").set("by", 4).add();
    let outcome = session.run(graph.to_json().unwrap(), &[share.out(0)], |_| ());
    assert_eq!(outcome.unwrap().value::<i64>(0).unwrap(), 25);
}
