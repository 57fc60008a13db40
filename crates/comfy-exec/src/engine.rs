//! The engine's handle.

use std::sync::Arc;
use std::time::{Duration, Instant};

use comfy_api::history::{History, HistoryEntry};
use comfy_api::queue::{FreeRequest, QueueInfo, QueueTuple};
use comfy_graph::python_json;
use parking_lot::MutexGuard;
use serde_json::{Map, Number, Value};
use tokio::sync::oneshot;

use crate::pending::Job;
use crate::reporter::now;
use crate::shared::{Shared, State};
use crate::worker::Worker;
use crate::{
    EngineOptions, PromptState, Running, ShutdownOutcome, Submission, SubmitError, Submitted,
};

/// Members of `extra_data` that are credentials: nodes may read them, clients never see them again.
const CREDENTIALS: [&str; 2] = ["auth_token_comfy_org", "api_key_comfy_org"];

/// How long [`Engine::shutdown`] waits for a node to notice that it was interrupted.
const INTERRUPT_PATIENCE: Duration = Duration::from_secs(3);

/// Runs prompts, one at a time, on a thread of its own.
///
/// This is a handle: clones speak to the same engine, and the engine ends (after the prompt that runs) when the last is
/// dropped. Except for [`submit`](Self::submit), which validates, and [`shutdown`](Self::shutdown), which waits, no method
/// takes longer than a look at the queue.
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

/// Closes the engine when the last clone of the handle is dropped.
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state.lock().closing = true;
        self.0.wake.notify_all();
    }
}

impl Engine {
    /// Starts an engine and its worker thread.
    pub fn start(options: EngineOptions) -> Self {
        let shared = Arc::new(Shared::new(options));
        let worker = Worker::new(Arc::clone(&shared));
        std::thread::Builder::new()
            .name("comfy-exec worker".to_owned())
            .spawn(move || worker.work())
            .expect("the system can start one more thread");
        Self {
            handle: Arc::new(Handle(shared)),
        }
    }

    fn shared(&self) -> &Shared {
        &self.handle.0
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared().state.lock()
    }

    /// The priority of a prompt that is about to be submitted: the client's, as a float, or the next of the engine's own.
    ///
    /// [`submit`](Self::submit) does this itself; it is for requests that fail before there is a prompt, since ComfyUI counts these too.
    pub fn take_number(&self, number: Option<&Number>, front: bool) -> Number {
        if let Some(number) = number.and_then(Number::as_f64).and_then(Number::from_f64) {
            return number;
        }
        let mut state = self.state();
        let count = i64::try_from(state.counter).unwrap_or(i64::MAX);
        state.counter += 1;
        Number::from(if front { -count } else { count })
    }

    /// Validates a prompt and queues it.
    ///
    /// Validation runs on the calling thread; a giant prompt can take a second, so async code must not call this directly.
    pub fn submit(&self, submission: Submission) -> Result<Submitted, SubmitError> {
        let Submission {
            mut prompt,
            prompt_id,
            number,
            front,
            client_id,
            mut extra_data,
            targets,
            head_start,
        } = submission;
        self.refuse_if_closed_or_full(&self.state())?;
        let number = self.take_number(number.as_ref(), front);
        let options = &self.shared().options;
        let validated = comfy_graph::validate(
            &mut prompt,
            targets.as_deref(),
            &options.registry,
            &*options.catalog,
            &options.services,
        )
        .map_err(|invalid| SubmitError::Invalid(Box::new(invalid)))?;

        let prompt = Arc::new(prompt);
        let prompt_id = prompt_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        if let Some(client_id) = client_id {
            extra_data.insert("client_id".to_owned(), Value::String(client_id));
        }
        let shown_prompt = if is_standard(&prompt) {
            Arc::clone(&prompt)
        } else {
            Arc::new(python_json::to_standard(&prompt))
        };
        let client_id = extra_data.get("client_id").and_then(Value::as_str);
        let job = Job {
            client_id: client_id.map(str::to_owned),
            not_before: Instant::now() + head_start,
            row: QueueTuple {
                number: number.clone(),
                prompt_id: prompt_id.clone(),
                prompt: shown_prompt,
                extra_data: Arc::new(without_credentials(&extra_data)),
                outputs_to_execute: validated.outputs,
            },
            prompt,
            extra_data: Arc::new(extra_data),
            created: now(),
        };
        {
            let mut state = self.state();
            self.refuse_if_closed_or_full(&state)?;
            state.pending.push(job);
            self.shared().push_status(&state);
        }
        self.shared().wake.notify_all();
        self.shared().outbox.flush();
        Ok(Submitted {
            prompt_id,
            number,
            node_errors: validated.node_errors,
        })
    }

    fn refuse_if_closed_or_full(&self, state: &State) -> Result<(), SubmitError> {
        if state.closing {
            return Err(SubmitError::ShuttingDown);
        }
        let (waiting, limit) = (state.pending.len(), self.shared().options.max_queue_size);
        if waiting > limit {
            Err(SubmitError::QueueFull { waiting, limit })
        } else {
            Ok(())
        }
    }

    /// Prompts that run or wait.
    pub fn queue_remaining(&self) -> usize {
        self.state().remaining()
    }

    /// The prompts that run and wait.
    pub fn queue(&self) -> QueueInfo {
        let state = self.state();
        QueueInfo {
            queue_running: state.running.iter().map(|job| job.row.clone()).collect(),
            queue_pending: state.pending.iter().map(|job| job.row.clone()).collect(),
        }
    }

    /// Removes prompts that wait; unknown ids, and the one that runs, are ignored. How many there were.
    pub fn delete_pending(&self, prompt_ids: &[String]) -> usize {
        let count = {
            let mut state = self.state();
            let removed = state.pending.remove(prompt_ids);
            let remaining = state.remaining();
            for (index, job) in removed.iter().enumerate() {
                state.waiters.remove(&job.row.prompt_id);
                self.shared()
                    .push_status_of(remaining + removed.len() - 1 - index);
            }
            removed.len()
        };
        self.shared().outbox.flush();
        count
    }

    /// Removes all prompts that wait.
    pub fn clear_pending(&self) {
        {
            let mut state = self.state();
            for job in state.pending.drain() {
                state.waiters.remove(&job.row.prompt_id);
            }
            self.shared().push_status(&state);
        }
        self.shared().outbox.flush();
    }

    /// Finished prompts, the oldest first: at most `max_items` from index `offset` on, or the last `max_items` if there is no
    /// offset or a negative one.
    pub fn history(&self, max_items: Option<i64>, offset: Option<i64>) -> History {
        self.state().history.slice(max_items, offset)
    }

    /// One finished prompt.
    pub fn history_entry(&self, prompt_id: &str) -> Option<Arc<HistoryEntry>> {
        self.state().history.get(prompt_id)
    }

    /// Removes prompts from the history; unknown ids are ignored.
    pub fn delete_history(&self, prompt_ids: &[String]) {
        self.state().history.remove(prompt_ids);
    }

    /// Empties the history.
    pub fn clear_history(&self) {
        self.state().history.clear();
    }

    /// Interrupts the prompt that clients see at work, or the one that runs under this id. Whether there was one to interrupt.
    pub fn interrupt(&self, prompt_id: Option<&str>) -> bool {
        let state = self.state();
        let job = match prompt_id {
            Some(id) => state.running(id),
            None => state.running.first(),
        };
        if let Some(job) = job {
            job.signals.interrupt();
        }
        job.is_some()
    }

    /// Frees memory as soon as no prompt runs.
    pub fn free(&self, request: FreeRequest) {
        {
            let mut state = self.state();
            let waiting = state.free.get_or_insert_default();
            waiting.unload_models |= request.unload_models;
            waiting.free_memory |= request.free_memory;
        }
        self.shared().wake.notify_all();
    }

    /// Resolves when the prompt has ended and is in the history; fails when it is deleted from the queue or never run.
    /// None if nothing is known of the prompt.
    pub fn completion(&self, prompt_id: &str) -> Option<oneshot::Receiver<Arc<HistoryEntry>>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        match state.state_of(prompt_id) {
            PromptState::Unknown => return None,
            PromptState::Finished => {
                // The receiver is in our hands, so this cannot fail.
                let _ = sender.send(state.history.get(prompt_id)?);
            }
            PromptState::Pending | PromptState::Running => {
                state
                    .waiters
                    .entry(prompt_id.to_owned())
                    .or_default()
                    .push(sender);
            }
        }
        Some(receiver)
    }

    /// Where a prompt is. A prompt that runs or waits again under an old id is not yet finished.
    pub fn state_of(&self, prompt_id: &str) -> PromptState {
        self.state().state_of(prompt_id)
    }

    /// The prompt that clients see at work, if any.
    pub fn running(&self) -> Option<Running> {
        self.state().running.first().map(|job| Running {
            prompt_id: job.row.prompt_id.clone(),
            client_id: job.client_id.clone(),
            node: job.node.clone(),
        })
    }

    /// Takes no more prompts, drops those that wait, and ends the one that runs: it has `grace` to end by itself and is then
    /// interrupted. Receivers of [`completion`](Self::completion) are answered either way.
    pub fn shutdown(&self, grace: Duration) -> ShutdownOutcome {
        let shared = self.shared();
        let mut outcome = ShutdownOutcome::default();
        {
            let mut state = shared.state.lock();
            state.closing = true;
            for job in state.pending.drain() {
                state.waiters.remove(&job.row.prompt_id);
                outcome.not_run.push(job.row.prompt_id);
            }
            if !outcome.not_run.is_empty() {
                shared.push_status(&state);
            }
        }
        shared.wake.notify_all();
        shared.outbox.flush();

        let mut state = shared.state.lock();
        shared.wait_until_idle(&mut state, grace);
        if let Some(job) = state.running.last() {
            outcome.interrupted = Some(job.row.prompt_id.clone());
            for job in &state.running {
                job.signals.interrupt();
            }
            shared.wait_until_idle(&mut state, INTERRUPT_PATIENCE);
        }
        outcome.stopped = state.running.is_empty();
        // Whoever still waits for a node that does not stop gets an answer too.
        state.waiters.clear();
        outcome
    }
}

fn without_credentials(extra_data: &Map<String, Value>) -> Map<String, Value> {
    extra_data
        .iter()
        .filter(|(key, _)| !CREDENTIALS.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whether standard JSON can write it: no number in it is infinite or NaN.
fn is_standard(json: &Value) -> bool {
    match json {
        Value::Array(items) => items.iter().all(is_standard),
        Value::Object(members) => members.values().all(is_standard),
        Value::String(_) => python_json::as_f64(json).is_none(),
        _ => true,
    }
}
