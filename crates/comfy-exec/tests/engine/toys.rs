//! Small nodes that compute, count, fail, panic and wait.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::sleep;
use std::time::Duration;

use comfy_graph::{
    Constants, Finish, Json, Node, NodeContext, NodeError, NodeRegistry, NodeSpec, Services,
    Socket, UniqueId,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// What the toys write down, and what tells them how to behave.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Ids of the nodes that ran, in order.
    pub(crate) ran: Mutex<Vec<String>>,
    /// Every number that a node made: its node, and whether it still lives.
    pub(crate) numbers: Mutex<Vec<(String, Weak<i64>)>>,
    /// Whether `alive_at` is kept; counting takes time in proportion to the numbers ever made.
    pub(crate) counts_alive: AtomicBool,
    /// How many numbers lived when each node ran.
    pub(crate) alive_at: Mutex<Vec<(String, usize)>>,
    /// What the world outside is like.
    pub(crate) world: AtomicI64,
    /// How often fingerprints were asked for.
    pub(crate) fingerprints: AtomicUsize,
}

impl Ledger {
    pub(crate) fn note(&self, context: &NodeContext<'_>) {
        let id = context.unique_id().to_owned();
        if self.counts_alive.load(Ordering::Relaxed) {
            self.alive_at.lock().push((id.clone(), self.alive()));
        }
        self.ran.lock().push(id);
    }

    /// Numbers that still live.
    pub(crate) fn alive(&self) -> usize {
        self.numbers
            .lock()
            .iter()
            .filter(|(_, number)| number.strong_count() > 0)
            .count()
    }

    /// Takes the ids of the nodes that ran.
    pub(crate) fn take_ran(&self) -> Vec<String> {
        std::mem::take(&mut *self.ran.lock())
    }

    pub(crate) fn number(&self, context: &NodeContext<'_>, value: i64) -> Tracked {
        let number = Arc::new(value);
        self.numbers
            .lock()
            .push((context.unique_id().to_owned(), Arc::downgrade(&number)));
        Tracked(number)
    }
}

/// A number whose life can be watched.
#[derive(Clone)]
pub(crate) struct Tracked(Arc<i64>);

impl Tracked {
    pub(crate) fn value(&self) -> i64 {
        *self.0
    }
}

impl Socket for Tracked {
    const TYPE: &'static str = "NUMBER";

    fn size(&self) -> usize {
        1000
    }

    fn to_json(&self) -> Option<Json> {
        Some(json!(*self.0))
    }
}

/// A number.
#[derive(NodeSpec)]
#[node(id = "Constant", category = "toy")]
pub(crate) struct Constant {
    /// The number.
    value: i64,
}

impl Node for Constant {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        let ledger = context.service::<Ledger>()?;
        ledger.note(context);
        Ok(ledger.number(context, self.value))
    }
}

/// A sum.
#[derive(NodeSpec)]
#[node(id = "Sum", category = "toy")]
pub(crate) struct Sum {
    /// A number.
    a: Tracked,
    /// Another.
    b: Option<Tracked>,
    /// What is added to them.
    plus: Option<i64>,
}

impl Node for Sum {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        let ledger = context.service::<Ledger>()?;
        ledger.note(context);
        let b = self.b.map_or(0, |b| *b.0);
        let sum = self
            .a
            .0
            .wrapping_mul(31)
            .wrapping_add(b.wrapping_mul(7))
            .wrapping_add(self.plus.unwrap_or(0));
        Ok(ledger.number(context, sum))
    }
}

/// Shows a number.
#[derive(NodeSpec)]
#[node(id = "Show", category = "toy", output_node)]
pub(crate) struct Show {
    /// The number.
    value: Tracked,
}

impl Node for Show {
    type Output = Finish;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        context.service::<Ledger>()?.note(context);
        Ok(Finish::new(move |context| {
            context.add_ui("number", json!(*self.value.0));
            Ok(())
        }))
    }
}

/// Shows anything.
#[derive(NodeSpec)]
#[node(id = "Label", category = "toy", output_node)]
pub(crate) struct Label {
    /// What.
    value: comfy_graph::Value,
}

impl Node for Label {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        context.service::<Ledger>()?.note(context);
        context.add_ui("label", json!(self.value.to_json()));
        Ok(())
    }
}

/// Goes wrong in one of several ways.
#[derive(NodeSpec)]
#[node(id = "Fail", category = "toy")]
pub(crate) struct Fail {
    /// A number.
    a: Tracked,
    /// How.
    how: String,
}

impl Node for Fail {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        context.service::<Ledger>()?.note(context);
        match self.how.as_str() {
            "value" => Err(NodeError::value(format_args!(
                "{} is a bad number",
                self.a.0
            ))),
            "memory" => Err(NodeError::OutOfMemory("1 TiB was asked for".to_owned())),
            "interrupted" => Err(NodeError::Interrupted),
            "panic" => panic!("on purpose"),
            _ => Ok(self.a),
        }
    }
}

/// Waits, reporting steps, until it is interrupted.
#[derive(NodeSpec)]
#[node(id = "Wait", category = "toy", output_node)]
pub(crate) struct Wait {
    /// Milliseconds of each step; the interrupt is only noticed between steps.
    step: u64,
    /// How many steps.
    steps: u64,
}

impl Node for Wait {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        context.service::<Ledger>()?.note(context);
        for step in 1..=self.steps {
            sleep(Duration::from_millis(self.step));
            context.progress(step, self.steps)?;
        }
        Ok(())
    }
}

/// A number from outside the prompt.
#[derive(NodeSpec)]
#[node(id = "Outside", category = "toy")]
pub(crate) struct Outside {
    /// What the fingerprint says.
    print: String,
}

impl Node for Outside {
    type Output = Tracked;

    const HAS_FINGERPRINT: bool = true;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        let ledger = context.service::<Ledger>()?;
        ledger.note(context);
        Ok(ledger.number(context, self.print.len() as i64))
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        let ledger = services.get::<Ledger>().unwrap();
        let count = ledger.fingerprints.fetch_add(1, Ordering::Relaxed);
        match constants.get::<String>("print").as_deref() {
            Some("count") => Ok(json!(count)),
            Some("nan") => Ok(comfy_graph::python_json::nan()),
            Some("error") => Err(NodeError::runtime("no file")),
            Some("panic") => panic!("on purpose"),
            _ => Ok(json!("same")),
        }
    }
}

/// Counts how often this very node has run.
#[derive(NodeSpec)]
#[node(id = "Tally", category = "toy", output_node)]
pub(crate) struct Tally {
    /// Any text; another one makes the node run again.
    text: String,
    unique_id: UniqueId,
}

impl Node for Tally {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let count = context
            .instance(AtomicUsize::default)
            .fetch_add(1, Ordering::Relaxed)
            + 1;
        context.add_ui("tally", json!([self.unique_id.0, self.text, count]));
        Ok(())
    }
}

pub(crate) fn registry() -> NodeRegistry {
    let mut registry = NodeRegistry::new();
    registry
        .register::<Constant>()
        .and_then(|registry| registry.register::<Sum>())
        .and_then(|registry| registry.register::<Show>())
        .and_then(|registry| registry.register::<Label>())
        .and_then(|registry| registry.register::<Fail>())
        .and_then(|registry| registry.register::<Wait>())
        .and_then(|registry| registry.register::<Outside>())
        .and_then(|registry| registry.register::<Tally>())
        .unwrap();
    registry
}

pub(crate) fn services() -> (Services, Arc<Ledger>) {
    let ledger = Arc::new(Ledger::default());
    let mut services = Services::new();
    services.insert(ledger.clone());
    (services, ledger)
}

/// A node of a prompt.
pub(crate) fn node(class: &str, inputs: Value) -> Value {
    json!({"class_type": class, "inputs": inputs})
}

/// A prompt that waits for so many steps of so many milliseconds.
pub(crate) fn waiting(step: u64, steps: u64) -> Value {
    json!({"1": node("Wait", json!({"step": step, "steps": steps}))})
}

/// A prompt that shows a number at once.
pub(crate) fn quick(value: i64) -> Value {
    json!({"1": node("Constant", json!({"value": value})), "2": node("Show", json!({"value": ["1", 0]}))})
}
