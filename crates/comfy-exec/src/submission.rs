//! Asking for a prompt to be run, and the answer.

use std::time::Duration;

use comfy_api::error::NodeErrors;
use comfy_graph::Invalid;
use serde_json::{Map, Number, Value};

/// A prompt to run.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    /// The prompt: an object of node id → node.
    pub prompt: Value,
    /// The client's own id for it; a new UUID without.
    pub prompt_id: Option<String>,
    /// The priority; without, the engine counts 0, 1, 2, …
    pub number: Option<Number>,
    /// Negates the number that the engine chose, so that this prompt runs before all that wait.
    pub front: bool,
    /// Who gets the events.
    pub client_id: Option<String>,
    /// What nodes may read besides the prompt, such as `extra_pnginfo`.
    pub extra_data: Map<String, Value>,
    /// Computes only these output nodes; all without.
    pub targets: Option<Vec<String>>,
    /// How long it waits at least before it begins. Clients ask with one connection and listen with another: some begin to listen
    /// for a prompt only when they have read the answer with its id, and miss what comes before.
    pub head_start: Duration,
}

/// An accepted prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// Its id.
    pub prompt_id: String,
    /// Its priority.
    pub number: Number,
    /// What is wrong with output nodes that were left out.
    pub node_errors: NodeErrors,
}

/// Why a prompt was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// No output node of it can be computed.
    #[error("the prompt is invalid: {}", .0.error.message)]
    Invalid(Box<Invalid>),
    /// Too many prompts wait already.
    #[error("the queue is full: {waiting} prompts wait and at most {limit} may")]
    QueueFull {
        /// Prompts that wait.
        waiting: usize,
        /// The limit.
        limit: usize,
    },
    /// The engine is shutting down.
    #[error("the server is shutting down and takes no more prompts")]
    ShuttingDown,
}

/// Where a prompt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptState {
    /// Nothing is known of it.
    Unknown,
    /// It waits.
    Pending,
    /// It runs.
    Running,
    /// It has ended, well or not, and is in the history.
    Finished,
}

/// The prompt that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The prompt.
    pub prompt_id: String,
    /// Who gets its events.
    pub client_id: Option<String>,
    /// The node that began last, by the id that the client shows; none before the first.
    pub node: Option<String>,
}

/// What became of the work when the engine shut down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOutcome {
    /// Prompts that waited and will not be run.
    pub not_run: Vec<String>,
    /// The prompt that was interrupted because it did not end in time.
    pub interrupted: Option<String>,
    /// Whether the worker has stopped. If not, a node did not react to the interrupt in time.
    pub stopped: bool,
}
