//! Progress on the terminal.

use std::io::{IsTerminal, Write};

use comfy_api::events::{Event, TextEvent};
use comfy_exec::{Audience, EventSink};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json};

/// Writes what happens to the standard error: a line for every node, and on a terminal the steps of the one that runs.
#[derive(Default)]
pub(super) struct Progress(Mutex<State>);

#[derive(Default)]
struct State {
    /// The classes of the nodes by id.
    classes: Map<String, Json>,
    /// Whether the last line is to be written over.
    is_open: bool,
    running: String,
}

impl Progress {
    /// A prompt is about to run.
    pub(super) fn begin(&self, prompt: &Json) {
        let nodes = prompt.as_object().into_iter().flatten();
        self.0.lock().classes = nodes
            .filter_map(|(id, node)| Some((id.clone(), node.get("class_type")?.clone())))
            .collect();
    }

    /// A prompt has ended.
    pub(super) fn end(&self) {
        self.0.lock().close();
    }

    /// Writes a line.
    pub(super) fn line(&self, text: &str) {
        self.0.lock().line(text);
    }
}

impl EventSink for Progress {
    fn publish(&self, _: Audience, event: Event) {
        let Event::Text(event) = event else {
            return;
        };
        let mut state = self.0.lock();
        match event {
            TextEvent::Executing(executing) => {
                if let Some(node) = executing.node {
                    let class = state.classes.get(&node).and_then(Json::as_str);
                    state.running = format!("{} ({node})", class.unwrap_or("node"));
                    let text = state.running.clone();
                    state.line(&text);
                }
            }
            TextEvent::Progress(progress) if std::io::stderr().is_terminal() => {
                let text = format!("{}: {} of {}", state.running, progress.value, progress.max);
                state.over(&text);
            }
            TextEvent::ExecutionCached(cached) if !cached.nodes.is_empty() => {
                state.line(&format!("{} nodes are known already", cached.nodes.len()));
            }
            _ => {}
        }
    }
}

impl State {
    fn line(&mut self, text: &str) {
        self.close();
        // A terminal that is gone is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn over(&mut self, text: &str) {
        let _ = write!(std::io::stderr(), "\r{text}\x1b[K");
        self.is_open = true;
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            let _ = writeln!(std::io::stderr());
        }
    }
}
