//! What the handles of the engine and its worker share.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use comfy_api::events::{Event, Executing, StatusEvent, TextEvent};
use comfy_api::history::HistoryEntry;
use comfy_api::queue::{FreeRequest, QueueStatus, QueueTuple};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use crate::history::{HistoryStore, Kept};
use crate::pending::{Job, PendingQueue};
use crate::progress::ProgressBook;
use crate::reporter::now;
use crate::signals::Signals;
use crate::sink::Outbox;
use crate::voice::Voice;
use crate::{Audience, EngineOptions, PromptState};

/// What the handles and the worker share.
pub(crate) struct Shared {
    pub(crate) options: EngineOptions,
    pub(crate) outbox: Outbox,
    pub(crate) state: Mutex<State>,
    /// Wakes the worker.
    pub(crate) wake: Condvar,
    /// Wakes a shutdown: the worker has become idle.
    pub(crate) idle: Condvar,
}

/// The queue, the history and who waits for what.
pub(crate) struct State {
    pub(crate) pending: PendingQueue,
    /// The prompts that run, the first one first. More than one only while the last node of the first finishes.
    pub(crate) running: Vec<RunningJob>,
    pub(crate) history: HistoryStore,
    pub(crate) waiters: HashMap<String, Vec<oneshot::Sender<Arc<HistoryEntry>>>>,
    pub(crate) free: Option<FreeRequest>,
    /// The next number that the engine gives.
    pub(crate) counter: u64,
    pub(crate) closing: bool,
    /// Whether anything has run since the engine was last idle.
    pub(crate) has_worked: bool,
}

/// A prompt that runs.
pub(crate) struct RunningJob {
    pub(crate) row: QueueTuple,
    pub(crate) client_id: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) progress: Arc<Mutex<ProgressBook>>,
    pub(crate) voice: Arc<Voice>,
    /// When it was submitted, in milliseconds since 1970.
    pub(crate) created: u64,
    /// When it began to run, in milliseconds since 1970.
    pub(crate) started: u64,
}

/// What the worker is to do next.
pub(crate) enum Task {
    /// Run this prompt, note how far it is, tell of it, and stop when the signals say so.
    Run(Arc<Job>, Arc<Signals>, Arc<Mutex<ProgressBook>>, Arc<Voice>),
    /// Free memory.
    Free(FreeRequest),
    /// There has been nothing to do for a while.
    Rest,
}

/// A prompt that has ended.
pub(crate) struct Finished {
    pub(crate) entry: HistoryEntry,
    pub(crate) client_id: Option<String>,
    /// The event that ends it, held back until the history is complete.
    pub(crate) last_event: TextEvent,
    pub(crate) last_audience: Option<Audience>,
}

impl State {
    pub(crate) fn remaining(&self) -> usize {
        self.pending.len() + self.running.len()
    }

    /// The prompt that runs under this id.
    pub(crate) fn running(&self, prompt_id: &str) -> Option<&RunningJob> {
        let mut running = self.running.iter();
        running.find(|job| job.row.prompt_id == prompt_id)
    }

    pub(crate) fn state_of(&self, prompt_id: &str) -> PromptState {
        if self.running(prompt_id).is_some() {
            PromptState::Running
        } else if self.pending.contains(prompt_id) {
            PromptState::Pending
        } else if self.history.contains(prompt_id) {
            PromptState::Finished
        } else {
            PromptState::Unknown
        }
    }
}

impl Shared {
    pub(crate) fn new(options: EngineOptions) -> Self {
        Self {
            outbox: Outbox::new(Arc::clone(&options.sink)),
            state: Mutex::new(State {
                pending: PendingQueue::default(),
                running: Vec::new(),
                history: HistoryStore::new(options.max_history),
                waiters: HashMap::new(),
                free: None,
                counter: 0,
                closing: false,
                has_worked: false,
            }),
            options,
            wake: Condvar::new(),
            idle: Condvar::new(),
        }
    }

    pub(crate) fn push_status(&self, state: &State) {
        self.push_status_of(state.remaining());
    }

    pub(crate) fn push_status_of(&self, queue_remaining: usize) {
        let status = StatusEvent {
            status: QueueStatus::new(queue_remaining),
            sid: None,
        };
        self.outbox.push(Audience::All, TextEvent::Status(status));
    }

    pub(crate) fn wait_until_idle(&self, state: &mut MutexGuard<'_, State>, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.idle
            .wait_while_until(state, |state| !state.running.is_empty(), deadline);
    }

    /// Waits for work; none when the engine is closed.
    pub(crate) fn next_task(&self) -> Option<Task> {
        let mut state = self.state.lock();
        let mut idle_at = Instant::now() + self.options.idle_after;
        loop {
            if let Some(mut request) = state.free.take() {
                request.unload_models |= request.free_memory;
                return Some(Task::Free(request));
            }
            if state.closing {
                return None;
            }
            let not_before = state.pending.first().map(|job| job.not_before);
            if let Some(begin) = not_before.filter(|begin| *begin > Instant::now()) {
                // It still waits in the queue, and may be taken out of it or overtaken.
                self.wake.wait_until(&mut state, begin);
                continue;
            }
            if let Some(job) = state.pending.pop() {
                let signals = Arc::new(Signals::default());
                let progress = ProgressBook::new(job.row.prompt_id.clone());
                let progress = Arc::new(Mutex::new(progress));
                let is_ahead = !state.running.is_empty();
                let voice = Arc::new(Voice::new(is_ahead));
                state.running.push(RunningJob {
                    row: job.row.clone(),
                    client_id: job.client_id.clone(),
                    node: None,
                    signals: Arc::clone(&signals),
                    progress: Arc::clone(&progress),
                    voice: Arc::clone(&voice),
                    created: job.created,
                    started: now(),
                });
                if !is_ahead {
                    self.push_status(&state);
                }
                state.has_worked = true;
                drop(state);
                self.outbox.flush();
                return Some(Task::Run(Arc::new(job), signals, progress, voice));
            }
            if !state.has_worked {
                self.wake.wait(&mut state);
            } else if !state.running.is_empty() {
                // A prompt is closing.
                self.wake.wait(&mut state);
                idle_at = Instant::now() + self.options.idle_after;
            } else if Instant::now() < idle_at {
                self.wake.wait_until(&mut state, idle_at);
            } else {
                state.has_worked = false;
                return Some(Task::Rest);
            }
        }
    }

    /// Notes which node of the prompt that began last runs.
    pub(crate) fn set_running_node(&self, node_id: &str) {
        if let Some(job) = self.state.lock().running.last_mut() {
            job.node = Some(node_id.to_owned());
        }
    }

    /// Puts the first of the prompts that run into the history, and only then tells that it has ended. From then on the next one is
    /// heard, if it has begun.
    pub(crate) fn finish(&self, finished: Finished) {
        let Finished {
            entry,
            client_id,
            last_event,
            last_audience,
        } = finished;
        let prompt_id = entry.prompt.prompt_id.clone();
        let entry = Arc::new(entry);
        let waiters = {
            let mut state = self.state.lock();
            let ended = (!state.running.is_empty()).then(|| state.running.remove(0));
            let created = ended.map_or(0, |job| job.created);
            let kept = Kept {
                entry: Arc::clone(&entry),
                created,
            };
            state.history.insert(prompt_id.clone(), kept);
            if let Some(audience) = last_audience {
                self.outbox.push(audience, last_event);
            }
            self.push_status(&state);
            if let Some(client_id) = client_id {
                let end = Event::Text(TextEvent::Executing(Executing::end(prompt_id.clone())));
                self.outbox.push(Audience::Client(client_id), end);
            }
            if let Some(next) = state.running.first() {
                self.push_status(&state);
                next.voice.release(&self.outbox);
            }
            state.waiters.remove(&prompt_id).unwrap_or_default()
        };
        for waiter in waiters {
            // A waiter that has gone away needs no answer.
            let _ = waiter.send(Arc::clone(&entry));
        }
        self.idle.notify_all();
        self.wake.notify_all();
        self.outbox.flush();
    }
}
