//! What happens, for the terminal or for another program.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use comfy_api::events::{Event, TextEvent};
use comfy_api::jobs::JobProgress;
use comfy_exec::{Audience, Engine, EventSink, Stage};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::reply::standard;

/// Cells of the bar.
const BAR: usize = 24;

/// Tells what happens: on the standard error a line for every node, and on a terminal a bar below them; or on the standard output every
/// event as a line of JSON.
pub(super) struct Progress {
    as_json: bool,
    /// Whether a line can be written over.
    on_terminal: bool,
    engine: OnceLock<Engine>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The classes of the nodes by id.
    classes: Map<String, Json>,
    /// Whether the last line is to be written over.
    is_open: bool,
    running: String,
}

/// A line for another program, in the form of the events.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'a str,
    data: Json,
}

impl Progress {
    /// Tells of events as lines of JSON, or in words.
    pub(super) fn new(as_json: bool) -> Self {
        Self {
            as_json,
            on_terminal: std::io::stderr().is_terminal(),
            engine: OnceLock::new(),
            state: Mutex::default(),
        }
    }

    /// Whether other programs read what is told.
    pub(super) fn is_json(&self) -> bool {
        self.as_json
    }

    /// The engine that knows how far a prompt is.
    pub(super) fn watch(&self, engine: Engine) {
        // It is watched once, before the first prompt.
        let _ = self.engine.set(engine);
    }

    /// A prompt is about to run.
    pub(super) fn begin(&self, prompt: &Json) {
        let nodes = prompt.as_object().into_iter().flatten();
        self.state.lock().classes = nodes
            .filter_map(|(id, node)| Some((id.clone(), node.get("class_type")?.clone())))
            .collect();
    }

    /// A prompt has ended.
    pub(super) fn end(&self) {
        self.state.lock().close();
    }

    /// Writes a line for people.
    pub(super) fn line(&self, text: &str) {
        self.state.lock().line(text);
    }

    /// Writes a line for another program, if one reads.
    pub(super) fn tell(&self, kind: &str, data: Json) {
        if self.as_json {
            write_json(&Line { r#type: kind, data });
        }
    }

    fn far(&self, prompt_id: &str) -> Option<JobProgress> {
        match self.engine.get()?.job(prompt_id)?.stage {
            Stage::Running { progress, .. } => Some(progress),
            _ => None,
        }
    }
}

impl EventSink for Progress {
    fn publish(&self, _: Audience, event: Event) {
        if self.as_json {
            match &event {
                Event::Text(event) => write_json(event),
                Event::NodeText(text) => {
                    self.tell("text", json!({"node": text.node, "text": text.text}));
                }
                // Nobody looks at previews here.
                Event::Preview(_) => {}
            }
            return;
        }
        let Event::Text(event) = event else {
            return;
        };
        match event {
            TextEvent::Executing(executing) => {
                if let Some(node) = executing.node {
                    let far = executing.prompt_id.and_then(|id| self.far(&id));
                    let mut state = self.state.lock();
                    let class = state.classes.get(&node).and_then(Json::as_str);
                    state.running = format!("{} ({node})", class.unwrap_or("node"));
                    let text = state.running.clone();
                    state.line(&text);
                    if let Some(far) = far.filter(|_| self.on_terminal) {
                        state.over(&bar(far.value, &text));
                    }
                }
            }
            TextEvent::Progress(progress) if self.on_terminal => {
                let far = self.far(&progress.prompt_id);
                let mut state = self.state.lock();
                let steps = format!("{}: {} of {}", state.running, progress.value, progress.max);
                state.over(&match far {
                    Some(far) => bar(far.value, &steps),
                    None => steps,
                });
            }
            TextEvent::ExecutionCached(cached) if !cached.nodes.is_empty() => {
                let text = format!("{} nodes are known already", cached.nodes.len());
                self.line(&text);
            }
            _ => {}
        }
    }
}

impl State {
    fn line(&mut self, text: &str) {
        if std::mem::take(&mut self.is_open) {
            // The bar gives way to the line.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        // A terminal that is gone is no reason to stop.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    fn over(&mut self, text: &str) {
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        // A line that wraps could not be written over.
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        let _ = write!(std::io::stderr(), "\r{text}\x1b[K");
        let _ = std::io::stderr().flush();
        self.is_open = true;
    }

    fn close(&mut self) {
        if std::mem::take(&mut self.is_open) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// How far the whole prompt is, and what runs.
fn bar(value: f64, text: &str) -> String {
    let value = value.clamp(0.0, 1.0);
    let filled = (value * BAR as f64) as usize;
    format!(
        "[{}{}] {:3.0} %  {text}",
        "#".repeat(filled),
        "-".repeat(BAR - filled),
        value * 100.0
    )
}

fn write_json(line: &impl Serialize) {
    let Ok(mut bytes) = serde_json::to_vec(line).map(standard) else {
        tracing::error!("an event could not be written as JSON");
        return;
    };
    bytes.push(b'\n');
    // A reader that has gone away is told nothing more.
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(&bytes).and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar(0.0, "x"), format!("[{}]   0 %  x", "-".repeat(BAR)));
        assert_eq!(
            bar(0.5, "KSampler (3): 10 of 20"),
            "[############------------]  50 %  KSampler (3): 10 of 20"
        );
        assert_eq!(bar(7.0, ""), format!("[{}] 100 %  ", "#".repeat(BAR)));
    }
}
