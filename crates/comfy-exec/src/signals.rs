//! What reaches the worker while it runs a prompt: the wish to stop, and the ends of asynchronous calls.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use crate::run::Completion;

/// Shared by the worker, the handles of the engine and the calls that go on beside others.
#[derive(Default)]
pub(crate) struct Signals {
    interrupted: AtomicBool,
    /// The prompt has ended; nobody listens to its calls any more.
    closed: AtomicBool,
    completions: Mutex<Vec<Completion>>,
    wake: Condvar,
}

impl Signals {
    /// Asks the prompt to stop.
    pub(crate) fn interrupt(&self) {
        let _lock = self.completions.lock();
        self.interrupted.store(true, Ordering::Relaxed);
        self.wake.notify_all();
    }

    /// Whether somebody asked the prompt to stop.
    pub(crate) fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// The prompt has ended.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Whether the prompt has ended.
    pub(crate) fn closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// An asynchronous call has ended.
    pub(crate) fn complete(&self, completion: Completion) {
        self.completions.lock().push(completion);
        self.wake.notify_all();
    }

    /// The calls that have ended since the last time.
    pub(crate) fn completions(&self) -> Vec<Completion> {
        std::mem::take(&mut self.completions.lock())
    }

    /// Waits until a call ends or somebody asks to stop.
    pub(crate) fn wait(&self) {
        let mut completions = self.completions.lock();
        self.wake.wait_while(&mut completions, |completions| {
            completions.is_empty() && !self.interrupted()
        });
    }
}
