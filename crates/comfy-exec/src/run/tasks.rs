//! Calls that go on beside other nodes.

use std::sync::{Arc, OnceLock};

use tokio::task::AbortHandle;

use super::Run;
use super::call::{Called, LaterCall};
use super::node::Suspended;
use super::outcome::Stop;
use crate::failure::Failure;
use crate::signals::Signals;

/// Threads for asynchronous calls; they wait most of the time.
const THREADS: usize = 2;

/// Where asynchronous calls run, started when there is one.
#[derive(Default)]
pub(crate) struct Runtime {
    runtime: OnceLock<tokio::runtime::Runtime>,
}

impl Runtime {
    fn get(&self) -> &tokio::runtime::Runtime {
        self.runtime.get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .thread_name("comfy-exec async")
                .worker_threads(THREADS)
                .enable_all()
                .build()
                .expect("the system can start a few more threads")
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An asynchronous call that has ended.
pub(crate) struct Completion {
    /// The place of the node in the graph.
    node: usize,
    /// Which of its calls.
    call: usize,
    result: Result<Called, Failure>,
}

/// The calls of one prompt that go on; they end with it.
pub(super) struct Tasks<'a> {
    runtime: &'a Runtime,
    signals: &'a Arc<Signals>,
    running: Vec<AbortHandle>,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(runtime: &'a Runtime, signals: &'a Arc<Signals>) -> Self {
        Self {
            runtime,
            signals,
            running: Vec::new(),
        }
    }

    /// Lets a call go on; its end is told to [`Signals`].
    pub(super) fn spawn(&mut self, node: usize, call: usize, later: LaterCall) {
        let signals = Arc::clone(self.signals);
        let task = async move {
            let result = later.finish().await;
            signals.complete(Completion { node, call, result });
        };
        self.running.retain(|task| !task.is_finished());
        self.running
            .push(self.runtime.get().spawn(task).abort_handle());
    }
}

impl Drop for Tasks<'_> {
    fn drop(&mut self) {
        for task in &self.running {
            task.abort();
        }
    }
}

/// The calls of one node, in order.
#[derive(Default)]
pub(super) struct Calls {
    results: Vec<Option<Called>>,
    missing: usize,
}

impl Calls {
    /// A call that is done.
    pub(super) fn done(&mut self, called: Called) {
        self.results.push(Some(called));
    }

    /// A call that goes on. Returns its number.
    pub(super) fn later(&mut self) -> usize {
        self.results.push(None);
        self.missing += 1;
        self.results.len() - 1
    }

    /// Whether all are done.
    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }

    fn complete(&mut self, call: usize, called: Called) {
        if let Some(result @ None) = self.results.get_mut(call) {
            *result = Some(called);
            self.missing -= 1;
        }
    }

    /// What they gave.
    pub(super) fn into_results(self) -> Vec<Called> {
        self.results.into_iter().flatten().collect()
    }
}

impl Run<'_> {
    /// Takes note of the calls that have ended meanwhile. Nodes whose calls have all ended are ready to go on.
    pub(super) fn collect(&mut self) -> Result<(), Stop> {
        for Completion { node, call, result } in self.signals.completions() {
            let called = result.map_err(|failure| self.stop(node, failure))?;
            if let Some(Suspended::Calls(calls)) = self.suspended.get_mut(&node) {
                calls.complete(call, called);
                if calls.is_complete() {
                    self.pending.release(node);
                }
            }
        }
        Ok(())
    }

    /// Somebody asked to stop while nothing but asynchronous calls went on.
    pub(super) fn interrupted_while_waiting(&self) -> Stop {
        let waiting = self.suspended.iter();
        let waiting = waiting.filter(|(_, suspended)| matches!(suspended, Suspended::Calls(_)));
        let first = waiting.map(|(&node, _)| node).min();
        self.stop(first.unwrap_or_default(), Failure::Interrupted)
    }
}
