//! Tells clients how a prompt goes, and keeps what the history wants of it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use comfy_api::events::{
    Executed, Executing, ExecutionCached, ExecutionStart, Framing, PreviewSource, Progress,
    ProgressState, TextEvent,
};
use comfy_api::history::StatusMessage;
use comfy_graph::{Json, Preview};

use crate::Audience;
use crate::engine::Shared;
use crate::progress::ProgressBook;

/// The voice of one prompt.
pub(crate) struct Reporter<'a> {
    shared: &'a Shared,
    prompt_id: &'a str,
    client_id: Option<&'a str>,
    progress: RefCell<ProgressBook>,
    messages: RefCell<Vec<StatusMessage>>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(shared: &'a Shared, prompt_id: &'a str, client_id: Option<&'a str>) -> Self {
        Self {
            shared,
            prompt_id,
            client_id,
            progress: RefCell::new(ProgressBook::new(prompt_id.to_owned())),
            messages: RefCell::default(),
        }
    }

    fn prompt_id(&self) -> String {
        self.prompt_id.to_owned()
    }

    /// The prompt's client, if it named one.
    fn client(&self) -> Option<Audience> {
        self.client_id.map(|id| Audience::Client(id.to_owned()))
    }

    /// The prompt's client, or everyone if it named none.
    pub(crate) fn client_or_all(&self) -> Audience {
        self.client().unwrap_or(Audience::All)
    }

    fn send_to_client(&self, event: TextEvent) {
        if let Some(client) = self.client() {
            self.shared.outbox.send(client, event);
        }
    }

    /// Keeps a message for the history.
    fn record(&self, event: &TextEvent) {
        if let Ok(Json::Object(mut message)) = serde_json::to_value(event)
            && let (Some(Json::String(kind)), Some(data)) =
                (message.remove("type"), message.remove("data"))
        {
            self.messages.borrow_mut().push(StatusMessage(kind, data));
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

    fn send_state(&self, state: ProgressState) {
        self.shared
            .outbox
            .send(self.client_or_all(), TextEvent::ProgressState(state));
    }

    /// A node is about to begin: its inputs are being gathered.
    pub(crate) fn node_staged(&self, node_id: &str) {
        let state = self.progress.borrow_mut().start(node_id);
        self.send_state(state);
    }

    /// A node begins.
    pub(crate) fn node_started(&self, node_id: &str) {
        self.shared.set_running_node(node_id);
        let event = Executing::node(node_id.to_owned(), node_id.to_owned(), self.prompt_id());
        self.send_to_client(TextEvent::Executing(event));
    }

    /// A node has done `value` of `max` steps.
    pub(crate) fn node_progress(
        &self,
        node_id: &str,
        value: u64,
        max: u64,
        preview: Option<Preview>,
    ) {
        let state = self.progress.borrow_mut().update(node_id, value, max);
        self.send_state(state);
        let audience = self.client_or_all();
        let preview = preview.map(|preview| self.preview(node_id, preview));
        if let (Some(preview), Audience::Client(_)) = (&preview, &audience) {
            let preview = comfy_api::events::Preview {
                framing: Framing::WithMetadata,
                ..preview.clone()
            };
            self.shared
                .outbox
                .send(audience.clone(), comfy_api::events::Event::Preview(preview));
        }
        let progress = Progress {
            value,
            max,
            prompt_id: self.prompt_id(),
            node: node_id.to_owned(),
        };
        self.shared
            .outbox
            .send(audience.clone(), TextEvent::Progress(progress));
        if let Some(preview) = preview {
            self.shared
                .outbox
                .send(audience, comfy_api::events::Event::Preview(preview));
        }
    }

    fn preview(&self, node_id: &str, preview: Preview) -> comfy_api::events::Preview {
        comfy_api::events::Preview {
            framing: Framing::Plain,
            format: preview.format,
            bytes: Arc::from(preview.bytes),
            source: PreviewSource {
                node_id: node_id.to_owned(),
                prompt_id: self.prompt_id(),
                display_node_id: node_id.to_owned(),
                parent_node_id: None,
                real_node_id: node_id.to_owned(),
            },
        }
    }

    /// What a node shows; none for a cached node that shows nothing.
    pub(crate) fn node_shows(&self, node_id: &str, output: Option<Json>) {
        let event = Executed {
            node: node_id.to_owned(),
            display_node: node_id.to_owned(),
            output,
            prompt_id: self.prompt_id(),
        };
        self.send_to_client(TextEvent::Executed(event));
    }

    /// A node has run, or its result was there.
    pub(crate) fn node_finished(&self, node_id: &str) {
        let state = self.progress.borrow_mut().finish(node_id);
        self.send_state(state);
    }

    /// The prompt has ended with this event: the whole story for the history. The event itself is sent by [`Shared::finish`].
    pub(crate) fn into_messages(self, last: &TextEvent) -> Vec<StatusMessage> {
        self.record(last);
        self.messages.into_inner()
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
