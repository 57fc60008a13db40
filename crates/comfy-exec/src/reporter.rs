//! Tells clients how a prompt goes, and keeps what the history wants of it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use comfy_api::events::{
    Event, Executed, Executing, ExecutionBlocked, ExecutionCached, ExecutionStart, Framing,
    PreviewSource, Progress, ProgressState, TextEvent,
};
use comfy_api::history::StatusMessage;
use comfy_graph::{Json, Preview};
use parking_lot::Mutex;
use serde_json::Number;

use crate::Audience;
use crate::names::NodeNames;
use crate::progress::ProgressBook;
use crate::shared::Shared;
use crate::voice::Voice;

/// The voice of one prompt.
///
/// Asynchronous nodes speak from threads of their own.
pub(crate) struct Reporter {
    shared: Arc<Shared>,
    prompt_id: String,
    client_id: Option<String>,
    progress: Arc<Mutex<ProgressBook>>,
    voice: Arc<Voice>,
    messages: Mutex<Vec<StatusMessage>>,
}

impl Reporter {
    pub(crate) fn new(
        shared: Arc<Shared>,
        prompt_id: &str,
        client_id: Option<&str>,
        progress: Arc<Mutex<ProgressBook>>,
        voice: Arc<Voice>,
    ) -> Self {
        Self {
            shared,
            prompt_id: prompt_id.to_owned(),
            client_id: client_id.map(str::to_owned),
            progress,
            voice,
            messages: Mutex::default(),
        }
    }

    fn push(&self, audience: Audience, event: impl Into<Event>) {
        self.voice.push(&self.shared.outbox, audience, event.into());
    }

    fn send(&self, audience: Audience, event: impl Into<Event>) {
        self.push(audience, event);
        self.shared.outbox.flush();
    }

    fn prompt_id(&self) -> String {
        self.prompt_id.clone()
    }

    /// The prompt's client, if it named one.
    fn client(&self) -> Option<Audience> {
        self.client_id.clone().map(Audience::Client)
    }

    /// The prompt's client, or everyone if it named none.
    pub(crate) fn client_or_all(&self) -> Audience {
        self.client().unwrap_or(Audience::All)
    }

    fn send_to_client(&self, event: TextEvent) {
        if let Some(client) = self.client() {
            self.send(client, event);
        }
    }

    /// Keeps a message for the history.
    fn record(&self, event: &TextEvent) {
        if let Ok(Json::Object(mut message)) = serde_json::to_value(event)
            && let (Some(Json::String(kind)), Some(data)) =
                (message.remove("type"), message.remove("data"))
        {
            self.messages.lock().push(StatusMessage(kind, data));
        }
    }

    /// The prompt begins.
    pub(crate) fn prompt_started(&self) {
        let event = TextEvent::ExecutionStart(ExecutionStart {
            prompt_id: self.prompt_id(),
            timestamp: now(),
        });
        self.record(&event);
        self.send_to_client(event);
    }

    /// These nodes have results from earlier prompts.
    pub(crate) fn nodes_cached(&self, nodes: Vec<String>) {
        let event = TextEvent::ExecutionCached(ExecutionCached {
            nodes,
            prompt_id: self.prompt_id(),
            timestamp: now(),
        });
        self.record(&event);
        self.send_to_client(event);
    }

    /// So many more nodes have to run.
    pub(crate) fn nodes_added(&self, count: usize) {
        self.progress.lock().expect_more(count);
    }

    /// Changes the state of a node, and tells of it in the order of the changes.
    fn change(&self, change: impl FnOnce(&mut ProgressBook) -> ProgressState) {
        {
            let mut progress = self.progress.lock();
            let state = TextEvent::ProgressState(change(&mut progress));
            self.push(self.client_or_all(), state);
        }
        self.shared.outbox.flush();
    }

    /// A node is about to begin: its inputs are being gathered.
    pub(crate) fn node_staged(&self, names: &Arc<NodeNames>) {
        self.change(|progress| progress.start(names));
    }

    /// A node begins.
    pub(crate) fn node_started(&self, names: &NodeNames) {
        self.shared.set_running_node(&names.display);
        let event = Executing::node(
            names.id.to_string(),
            names.display.to_string(),
            self.prompt_id(),
        );
        self.send_to_client(TextEvent::Executing(event));
    }

    /// A node has done `value` of `max` steps.
    pub(crate) fn node_progress(
        &self,
        names: &Arc<NodeNames>,
        value: Number,
        max: Number,
        preview: Option<Preview>,
    ) {
        self.change(|progress| progress.update(names, value.clone(), max.clone()));
        let audience = self.client_or_all();
        let preview = preview.map(|preview| self.preview(names, preview));
        if let (Some(preview), Audience::Client(_)) = (&preview, &audience) {
            let preview = comfy_api::events::Preview {
                framing: Framing::WithMetadata,
                ..preview.clone()
            };
            self.send(audience.clone(), Event::Preview(preview));
        }
        let progress = Progress {
            value,
            max,
            prompt_id: self.prompt_id(),
            node: names.id.to_string(),
        };
        self.send(audience.clone(), TextEvent::Progress(progress));
        if let Some(preview) = preview {
            self.send(audience, Event::Preview(preview));
        }
    }

    /// A node shows words; all clients see them, as with ComfyUI.
    pub(crate) fn node_text(&self, names: &NodeNames, text: &str) {
        let text = comfy_api::events::NodeText {
            node: names.id.to_string(),
            text: text.to_owned(),
        };
        self.send(Audience::All, Event::NodeText(text));
    }

    fn preview(&self, names: &NodeNames, preview: Preview) -> comfy_api::events::Preview {
        comfy_api::events::Preview {
            framing: Framing::Plain,
            format: preview.format,
            bytes: Arc::from(preview.bytes),
            source: PreviewSource {
                node_id: names.id.to_string(),
                prompt_id: self.prompt_id(),
                display_node_id: names.display.to_string(),
                parent_node_id: names.parent.as_deref().map(str::to_owned),
                real_node_id: names.real.to_string(),
            },
        }
    }

    /// What a node shows; none for a cached node that shows nothing.
    pub(crate) fn node_shows(&self, names: &NodeNames, output: Option<Json>) {
        let event = Executed {
            node: names.id.to_string(),
            display_node: names.display.to_string(),
            output,
            prompt_id: self.prompt_id(),
        };
        self.send_to_client(TextEvent::Executed(event));
    }

    /// A node is kept from running. The history does not hear of it.
    pub(crate) fn node_blocked(
        &self,
        names: &NodeNames,
        class: &str,
        message: &str,
        executed: Vec<String>,
    ) {
        let event = TextEvent::ExecutionBlocked(ExecutionBlocked {
            prompt_id: self.prompt_id(),
            node_id: names.id.to_string(),
            node_type: class.to_owned(),
            executed,
            exception_message: format!("Execution Blocked: {message}"),
            exception_type: "ExecutionBlocked".to_owned(),
            traceback: Vec::new(),
            current_inputs: Vec::new(),
            current_outputs: Vec::new(),
        });
        self.send(self.client_or_all(), event);
    }

    /// A node has run, or its result was there.
    pub(crate) fn node_finished(&self, names: &Arc<NodeNames>) {
        self.change(|progress| progress.finish(names));
    }

    /// The prompt has ended with this event: the whole story for the history. The event itself is sent by [`Shared::finish`].
    pub(crate) fn take_messages(&self, last: &TextEvent) -> Vec<StatusMessage> {
        self.record(last);
        std::mem::take(&mut self.messages.lock())
    }

    /// Who gets an `execution_interrupted`: unlike the other events it is for everyone if the prompt has no client.
    pub(crate) fn audience_of(&self, last: &TextEvent) -> Option<Audience> {
        match last {
            TextEvent::ExecutionInterrupted(_) => Some(self.client_or_all()),
            _ => self.client(),
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let elapsed = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
