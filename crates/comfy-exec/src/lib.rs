//! Runs prompts: queue, scheduler, caches, events, history and interruption.
//!
//! An [`Engine`] is a handle to one worker thread. [`Engine::submit`] validates a prompt and queues it; the worker takes the
//! prompts by priority, runs their nodes and tells an [`EventSink`] about it; what became of them is in the history.
//!
//! - Only the worker and the tasks of the prompt that runs execute code of nodes, and a node that panics fails its prompt, not
//!   the server. While the last node of a prompt [finishes](comfy_graph::Finish), on a thread for that, the worker begins with the
//!   next prompt; clients hear of it when the one before has ended.
//! - No lock is held while code of nodes or of the sink runs.
//! - The history has a prompt before anyone hears that it has ended.

mod caches;
mod engine;
mod failure;
mod history;
mod jobs;
mod names;
mod options;
mod pending;
mod progress;
mod reporter;
mod run;
mod shared;
mod signals;
mod sink;
mod submission;
mod voice;
mod worker;

pub use engine::Engine;
pub use jobs::{KnownJob, Stage};
pub use options::{CachePolicy, EngineOptions, FreeRequest};
pub use sink::{Audience, EventSink};
pub use submission::{PromptState, Running, ShutdownOutcome, Submission, SubmitError, Submitted};

/// Runs the examples of the manual.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/nodes-in-the-graph.md")]
struct Manual;
