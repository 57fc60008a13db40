//! A sink that writes down every event, and an engine with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use comfy_api::events::{Event, TextEvent};
use comfy_api::history::HistoryEntry;
use comfy_exec::{Audience, CachePolicy, Engine, EngineOptions, EventSink, Submission, Submitted};
use comfy_graph::{EmptyCatalog, NodeRegistry, Services};
use parking_lot::{Condvar, Mutex};
use serde_json::{Value, json};

/// How long a test waits for something that should happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

type Reaction = Box<dyn FnMut(&Audience, &Event) + Send>;

#[derive(Default)]
pub(crate) struct Recorder {
    events: Mutex<Vec<(Audience, Event)>>,
    arrived: Condvar,
    reaction: Mutex<Option<Reaction>>,
    /// Forgets every event at once.
    pub(crate) forgets: AtomicBool,
}

impl EventSink for Recorder {
    fn publish(&self, audience: Audience, event: Event) {
        if let Some(reaction) = &mut *self.reaction.lock() {
            reaction(&audience, &event);
        }
        if self.forgets.load(Ordering::Relaxed) {
            return;
        }
        self.events.lock().push((audience, event));
        self.arrived.notify_all();
    }
}

impl Recorder {
    /// Does something at every event, before it is written down.
    pub(crate) fn react(&self, reaction: impl FnMut(&Audience, &Event) + Send + 'static) {
        *self.reaction.lock() = Some(Box::new(reaction));
    }

    /// Takes the events so far.
    pub(crate) fn take(&self) -> Vec<(Audience, Event)> {
        std::mem::take(&mut *self.events.lock())
    }

    /// The text events so far as JSON.
    pub(crate) fn texts(&self) -> Vec<Value> {
        let text = |(_, event): &(Audience, Event)| match event {
            Event::Text(event) => Some(serde_json::to_value(event).unwrap()),
            Event::Preview(_) | Event::NodeText(_) => None,
        };
        self.events.lock().iter().filter_map(text).collect()
    }

    /// The data of the events of one type.
    pub(crate) fn data_of(&self, kind: &str) -> Vec<Value> {
        self.texts()
            .into_iter()
            .filter(|event| event["type"] == kind)
            .map(|event| event["data"].clone())
            .collect()
    }

    /// Waits until the events so far satisfy `done`.
    pub(crate) fn wait_until(&self, what: &str, done: impl Fn(&[(Audience, Event)]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut events = self.events.lock();
        while !done(&events) {
            let late = self.arrived.wait_until(&mut events, deadline).timed_out();
            assert!(
                !late,
                "waited too long for {what}: {:?}",
                events.iter().map(|(_, event)| event).collect::<Vec<_>>()
            );
        }
    }

    /// Waits until so many prompts have ended.
    pub(crate) fn wait_for_empty_queue(&self) {
        self.wait_until("an empty queue", |events| {
            let status = |(_, event): &(Audience, Event)| match event {
                Event::Text(TextEvent::Status(status)) => {
                    Some(status.status.exec_info.queue_remaining)
                }
                _ => None,
            };
            events.iter().rev().find_map(status) == Some(0)
        });
    }
}

/// An engine, what it said, and what its nodes share.
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) recorder: Arc<Recorder>,
}

impl Bench {
    pub(crate) fn new(registry: NodeRegistry, services: Services, cache: CachePolicy) -> Self {
        Self::with(registry, services, |options| options.cache = cache)
    }

    pub(crate) fn with(
        registry: NodeRegistry,
        services: Services,
        adjust: impl FnOnce(&mut EngineOptions),
    ) -> Self {
        let recorder = Arc::new(Recorder::default());
        let mut options =
            EngineOptions::new(Arc::new(registry), Arc::new(EmptyCatalog), recorder.clone());
        options.services = services;
        adjust(&mut options);
        Self {
            engine: Engine::start(options),
            recorder,
        }
    }

    /// Submits a prompt for the client `me`.
    pub(crate) fn submit(&self, prompt: Value) -> Submitted {
        self.submit_with(prompt, |_| ())
    }

    pub(crate) fn submit_with(
        &self,
        prompt: Value,
        adjust: impl FnOnce(&mut Submission),
    ) -> Submitted {
        let mut submission = Submission {
            prompt,
            client_id: Some("me".to_owned()),
            ..Submission::default()
        };
        adjust(&mut submission);
        self.engine.submit(submission).unwrap()
    }

    /// Submits a prompt and waits for its end.
    pub(crate) fn run(&self, prompt: Value) -> Arc<HistoryEntry> {
        let submitted = self.submit(prompt);
        self.wait_for(&submitted.prompt_id)
    }

    /// Waits for the end of a prompt.
    pub(crate) fn wait_for(&self, prompt_id: &str) -> Arc<HistoryEntry> {
        let end = json!({"node": null, "prompt_id": prompt_id});
        self.recorder.wait_until("the end of the prompt", |events| {
            events.iter().any(|(_, event)| match event {
                Event::Text(event @ TextEvent::Executing(executing)) => {
                    executing.node.is_none() && serde_json::to_value(event).unwrap()["data"] == end
                }
                _ => false,
            })
        });
        self.engine.history_entry(prompt_id).unwrap()
    }
}

/// The ids of the nodes that began, in order.
pub(crate) fn started(recorder: &Recorder) -> Vec<String> {
    recorder
        .data_of("executing")
        .iter()
        .filter_map(|data| Some(data["node"].as_str()?.to_owned()))
        .collect()
}

/// Waits for what no event tells.
pub(crate) fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
