//! The messages of the websocket `/ws`: what the server tells its clients while prompts run.
//!
//! Text messages are `{"type": …, "data": …}`. Preview pictures are binary; [`Preview::frame`] makes their bytes.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;

use crate::queue::QueueStatus;

/// One message to clients.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A message that is sent as text.
    Text(TextEvent),
    /// A preview picture, sent as a binary frame.
    Preview(Preview),
}

impl From<TextEvent> for Event {
    fn from(event: TextEvent) -> Self {
        Self::Text(event)
    }
}

/// A message that is sent as text: `{"type": …, "data": …}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum TextEvent {
    /// The length of the queue; sent on connecting and whenever it may have changed.
    Status(StatusEvent),
    /// A prompt begins to run.
    ExecutionStart(ExecutionStart),
    /// Which nodes of the prompt need not run, since their results are known.
    ExecutionCached(ExecutionCached),
    /// A node begins to run, or the prompt has ended.
    Executing(Executing),
    /// A node reports how far it is.
    Progress(Progress),
    /// How far every node is that was touched in this prompt.
    ProgressState(ProgressState),
    /// A node that shows something to the user has run.
    Executed(Executed),
    /// A prompt has run to its end.
    ExecutionSuccess(ExecutionSuccess),
    /// A node failed, and with it the prompt.
    ExecutionError(ExecutionError),
    /// A node was kept from running by a blocker with a message; the prompt goes on. Clients see an `execution_error`.
    #[serde(rename = "execution_error", skip_deserializing)]
    ExecutionBlocked(ExecutionBlocked),
    /// A prompt was interrupted.
    ExecutionInterrupted(ExecutionInterrupted),
    /// What the server can do; the answer to a client's own flags.
    FeatureFlags(FeatureFlags),
    /// New lines of the log, for clients that subscribed to them.
    Logs(Logs),
}

/// Data of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatusEvent {
    /// The length of the queue.
    pub status: QueueStatus,
    /// The client's own id; only in the first message of a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// Data of `execution_start`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionStart {
    /// The prompt.
    pub prompt_id: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// Data of `execution_cached`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionCached {
    /// Nodes whose results are cached, in the order of the prompt, whether or not they are needed.
    pub nodes: Vec<String>,
    /// The prompt.
    pub prompt_id: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// Data of `executing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Executing {
    /// The node, or null when the prompt has ended.
    pub node: Option<String>,
    /// The node that shows it; absent when the prompt has ended or the client has just connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_node: Option<String>,
    /// The prompt; absent when the client has just connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_id: Option<String>,
}

impl Executing {
    /// A node begins to run.
    pub fn node(node: String, display_node: String, prompt_id: String) -> Self {
        Self {
            node: Some(node),
            display_node: Some(display_node),
            prompt_id: Some(prompt_id),
        }
    }

    /// The prompt has ended.
    pub fn end(prompt_id: String) -> Self {
        Self {
            node: None,
            display_node: None,
            prompt_id: Some(prompt_id),
        }
    }

    /// For a client that connects while its prompt runs.
    pub fn resumed(node: String) -> Self {
        Self {
            node: Some(node),
            display_node: None,
            prompt_id: None,
        }
    }
}

/// Data of `progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Steps done.
    #[schema(value_type = f64)]
    pub value: Number,
    /// Steps in all.
    #[schema(value_type = f64)]
    pub max: Number,
    /// The prompt.
    pub prompt_id: String,
    /// The node.
    pub node: String,
}

/// Data of `progress_state`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProgressState {
    /// The prompt.
    pub prompt_id: String,
    /// Nodes touched so far, in the order in which they were touched first.
    #[schema(value_type = std::collections::BTreeMap<String, NodeProgress>)]
    pub nodes: IndexMap<String, NodeProgress>,
}

/// How far one node is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeProgress {
    /// Steps done.
    #[schema(value_type = f64)]
    pub value: Number,
    /// Steps in all; 1 if the node does not count.
    #[schema(value_type = f64)]
    pub max: Number,
    /// What it is doing.
    pub state: NodeState,
    /// The node.
    pub node_id: String,
    /// The prompt.
    pub prompt_id: String,
    /// The node that shows it.
    pub display_node_id: String,
    /// The node that made this one, if it was made while running.
    pub parent_node_id: Option<String>,
    /// The node of the submitted prompt that it stems from.
    pub real_node_id: String,
}

/// What a node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It has not begun; never sent.
    Pending,
    /// It runs.
    Running,
    /// It has run, or its result was cached.
    Finished,
    /// It failed.
    Error,
}

/// Data of `executed`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Executed {
    /// The node.
    pub node: String,
    /// The node that shows it.
    pub display_node: String,
    /// What it shows: lists by kind, such as `images`. Null for a cached node that shows nothing.
    pub output: Option<Value>,
    /// The prompt.
    pub prompt_id: String,
}

/// Data of `execution_success`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionSuccess {
    /// The prompt.
    pub prompt_id: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// Data of `execution_error`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionError {
    /// The prompt.
    pub prompt_id: String,
    /// The node of the submitted prompt that failed.
    pub node_id: String,
    /// Its class.
    pub node_type: String,
    /// Nodes that had run in this prompt.
    pub executed: Vec<String>,
    /// What went wrong; ends in a newline.
    pub exception_message: String,
    /// The kind of error, such as `ValueError`.
    pub exception_type: String,
    /// Where it happened.
    pub traceback: Vec<String>,
    /// The inputs of the node: lists of numbers, strings, booleans and nulls; anything else is described in words.
    #[schema(value_type = std::collections::BTreeMap<String, Vec<Value>>)]
    pub current_inputs: Map<String, Value>,
    /// Nodes of the prompt known when it began.
    pub current_outputs: Vec<String>,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// Data of the `execution_error` about a blocked node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionBlocked {
    /// The prompt.
    pub prompt_id: String,
    /// The node that was kept from running.
    pub node_id: String,
    /// Its class.
    pub node_type: String,
    /// Nodes that had run in this prompt.
    pub executed: Vec<String>,
    /// Why.
    pub exception_message: String,
    /// Always `ExecutionBlocked`.
    pub exception_type: String,
    /// Always empty.
    pub traceback: Vec<String>,
    /// Always empty.
    pub current_inputs: Vec<String>,
    /// Always empty.
    pub current_outputs: Vec<String>,
}

/// Data of `execution_interrupted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionInterrupted {
    /// The prompt.
    pub prompt_id: String,
    /// The node that was about to run or running.
    pub node_id: String,
    /// Its class.
    pub node_type: String,
    /// Nodes that had run in this prompt.
    pub executed: Vec<String>,
    /// Milliseconds since 1970.
    pub timestamp: u64,
}

/// Data of `feature_flags` from the server, and the answer of `GET /features`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FeatureFlags {
    /// Preview frames can carry metadata (frame type 4).
    pub supports_preview_metadata: bool,
    /// The largest request body in bytes.
    pub max_upload_size: u64,
}

/// Data of `logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Logs {
    /// The lines.
    pub entries: Vec<LogEntry>,
    /// The size of the server's terminal, if it has one.
    pub size: Option<TerminalSize>,
}

/// One piece of log text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogEntry {
    /// When: ISO 8601, local time.
    pub t: String,
    /// The text, with its line break.
    pub m: String,
}

/// The size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalSize {
    /// Characters in a line.
    pub cols: u16,
    /// Lines.
    pub rows: u16,
}

/// A preview picture, already encoded.
///
/// The engine publishes every picture twice around the `progress` message of its step, because clients that negotiated
/// `supports_preview_metadata` get it before that message and the others after it, each in a frame of its own kind.
/// A connection takes the one whose [`framing`](Self::framing) is its own and ignores the other. When a prompt has no
/// client id the picture goes to everyone, and then only once, as [`Framing::Plain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Which connections this is for.
    pub framing: Framing,
    /// How `bytes` are encoded.
    pub format: PreviewFormat,
    /// The encoded picture.
    pub bytes: Arc<[u8]>,
    /// Where it comes from.
    pub source: PreviewSource,
}

/// The kind of frame of a preview picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Type 1: the picture alone, for connections that did not negotiate metadata (and for all when it goes to everyone).
    Plain,
    /// Type 4: with the ids of its node and prompt, for connections that negotiated metadata.
    WithMetadata,
}

/// How a preview picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreviewFormat {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

impl PreviewFormat {
    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    /// The number for it in frames of type 1.
    fn code(self) -> u32 {
        match self {
            Self::Jpeg => 1,
            Self::Png => 2,
        }
    }
}

/// The node that made a preview picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreviewSource {
    /// The node.
    pub node_id: String,
    /// The prompt.
    pub prompt_id: String,
    /// The node that shows it.
    pub display_node_id: String,
    /// The node that made this one, if it was made while running.
    pub parent_node_id: Option<String>,
    /// The node of the submitted prompt that it stems from.
    pub real_node_id: String,
}

/// Frame type of a picture alone.
const PREVIEW_IMAGE: u32 = 1;
/// Frame type of a picture with metadata.
const PREVIEW_IMAGE_WITH_METADATA: u32 = 4;

impl Preview {
    /// The binary frame; integers are big-endian `u32`.
    ///
    /// Plain: frame type 1, format, picture. With metadata: frame type 4, length of the JSON, JSON, picture.
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(self.bytes.len() + 256);
        match self.framing {
            Framing::Plain => {
                frame.extend_from_slice(&PREVIEW_IMAGE.to_be_bytes());
                frame.extend_from_slice(&self.format.code().to_be_bytes());
            }
            Framing::WithMetadata => {
                let metadata = PreviewMetadata {
                    source: &self.source,
                    image_type: self.format.media_type(),
                };
                let metadata = serde_json::to_vec(&metadata).expect("strings always serialise");
                frame.extend_from_slice(&PREVIEW_IMAGE_WITH_METADATA.to_be_bytes());
                frame.extend_from_slice(&(metadata.len() as u32).to_be_bytes());
                frame.extend_from_slice(&metadata);
            }
        }
        frame.extend_from_slice(&self.bytes);
        frame
    }
}

#[derive(Serialize)]
struct PreviewMetadata<'a> {
    #[serde(flatten)]
    source: &'a PreviewSource,
    image_type: &'static str,
}

#[cfg(test)]
mod tests;
