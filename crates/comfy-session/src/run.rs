//! Running one graph.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use comfy_api::error::NodeErrors;
use comfy_api::events::{Event, Executing, ExecutionError, TextEvent};
use comfy_api::history::{HistoryEntry, StatusText};
use comfy_exec::{PromptState, Submission, SubmitError};
use comfy_graph::{Json, NodeOutput, NodeSpec, Socket, Value};
use serde_json::json;

use crate::Session;
use crate::deliver::Deliver;

/// How often one who waits looks whether the prompt was thrown out of the queue, of which no event tells.
const LOOK: Duration = Duration::from_millis(200);

/// Why a graph gave no results.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The engine did not take it.
    #[error(transparent)]
    Refused(#[from] SubmitError),
    /// A node failed.
    #[error(transparent)]
    Failed(Box<NodeFailure>),
    /// Somebody interrupted it, or threw it out of the queue.
    #[error("the graph was interrupted")]
    Interrupted,
}

/// A node that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("node {node} ({class}): {message}")]
pub struct NodeFailure {
    /// Its id in the graph.
    pub node: String,
    /// Its class.
    pub class: String,
    /// The kind of failure as clients know it, such as `ValueError`.
    pub kind: String,
    /// What was expected, what came, and where it was looked for.
    pub message: String,
}

impl From<ExecutionError> for NodeFailure {
    fn from(error: ExecutionError) -> Self {
        Self {
            node: error.node_id,
            class: error.node_type,
            kind: error.exception_type,
            message: error.exception_message.trim_end().to_owned(),
        }
    }
}

/// What a graph gave.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The prompt as the history has it: what its nodes show, and how it went.
    pub entry: Arc<HistoryEntry>,
    /// What is wrong with nodes that were left out; the others have run.
    pub node_errors: NodeErrors,
    delivered: Vec<(NodeOutput, Option<Vec<Value>>)>,
}

/// An output that does not hold what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("output {slot} of node {node}: expected {expected}, found {found}")]
pub struct OutcomeError {
    node: String,
    slot: i64,
    expected: &'static str,
    found: String,
}

impl Outcome {
    /// The values of the wanted output number `index`, untyped: none when a blocker kept its node from running.
    pub fn raw(&self, index: usize) -> &[Value] {
        let delivered = self
            .delivered
            .get(index)
            .and_then(|(_, values)| values.as_deref());
        delivered.unwrap_or_default()
    }

    /// The values of the wanted output number `index`, of which there are several when a node before it made a list.
    pub fn values<T: Socket>(&self, index: usize) -> Result<Vec<T>, OutcomeError> {
        let read = |value: &Value| {
            value
                .get::<T>()
                .ok_or_else(|| self.error::<T>(index, value.describe()))
        };
        self.raw(index).iter().map(read).collect()
    }

    /// The value of the wanted output number `index`; the first, if there are several.
    pub fn value<T: Socket>(&self, index: usize) -> Result<T, OutcomeError> {
        let first = self.values(index)?.into_iter().next();
        first.ok_or_else(|| self.error::<T>(index, "nothing".to_owned()))
    }

    fn error<T: Socket>(&self, index: usize, found: String) -> OutcomeError {
        let output = self.delivered.get(index).map(|(output, _)| output);
        OutcomeError {
            node: output.map_or_else(|| "none".to_owned(), |output| output.node.clone()),
            slot: output.map_or(-1, |output| output.slot),
            expected: T::TYPE,
            found,
        }
    }
}

impl Session {
    /// Runs a prompt to its end, on the engine's thread, and waits for it.
    ///
    /// The prompt is what a [`PromptBuilder`](crate::PromptBuilder) makes, or what clients of a server send: an object of node id → node.
    /// `wanted` names the outputs whose values come back, each by a node `deliver 0`, `deliver 1` and so on that is added to the prompt;
    /// output nodes such as `SaveImage` run too. `watch` hears every event of this
    /// prompt, on the calling thread.
    pub fn run(
        &self,
        mut prompt: Json,
        wanted: &[NodeOutput],
        mut watch: impl FnMut(&Event),
    ) -> Result<Outcome, RunError> {
        let client = uuid::Uuid::new_v4().to_string();
        let receipt = |index: usize| format!("{client} {index}");
        if let Some(nodes) = prompt.as_object_mut() {
            for (index, NodeOutput { node, slot }) in wanted.iter().enumerate() {
                let mut id = format!("deliver {index}");
                while nodes.contains_key(&id) {
                    id.push('\'');
                }
                let inputs = json!({"values": [node, slot], "receipt": receipt(index)});
                nodes.insert(id, json!({"class_type": Deliver::ID, "inputs": inputs}));
            }
        }

        let events = self.watchers.watch(&client);
        let watching = Watching {
            session: self,
            client: &client,
        };
        let submitted = self.engine.submit(Submission {
            prompt,
            client_id: Some(client.clone()),
            ..Submission::default()
        })?;
        let mut failure = None;
        loop {
            match events.recv_timeout(LOOK) {
                Ok(event) => {
                    watch(&event);
                    match event {
                        Event::Text(TextEvent::ExecutionError(error)) => failure = Some(error),
                        Event::Text(TextEvent::Executing(Executing { node: None, .. })) => break,
                        _ => {}
                    }
                }
                Err(RecvTimeoutError::Timeout)
                    if self.engine.state_of(&submitted.prompt_id) != PromptState::Unknown => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        drop(watching);

        let take = |(index, output): (usize, &NodeOutput)| {
            (output.clone(), self.deliveries.take(&receipt(index)))
        };
        let delivered = wanted.iter().enumerate().map(take).collect();
        let entry = self
            .engine
            .history_entry(&submitted.prompt_id)
            .ok_or(RunError::Interrupted)?;
        match (failure, entry.status.status_str) {
            (_, StatusText::Success) => Ok(Outcome {
                entry,
                node_errors: submitted.node_errors,
                delivered,
            }),
            (Some(failure), _) => Err(RunError::Failed(Box::new(failure.into()))),
            (None, StatusText::Error) => Err(RunError::Interrupted),
        }
    }
}

/// Stops listening at the end, however it comes.
struct Watching<'a> {
    session: &'a Session,
    client: &'a str,
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.session.watchers.forget(self.client);
    }
}
