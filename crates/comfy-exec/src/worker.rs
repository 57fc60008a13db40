//! The worker thread. Code of nodes runs here, and in the tasks of asynchronous calls.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use comfy_api::queue::FreeRequest;

use crate::caches::ResultCache;
use crate::run::{self, Closer, Ended, Memory, Runtime};
use crate::shared::{Shared, Task};

/// Owns everything that only one thread may touch.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    memory: Memory,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let memory = Memory {
            results: ResultCache::new(shared.options.cache),
            instances: Arc::default(),
            runtime: Runtime::default(),
            closer: Closer::start(),
        };
        Self { shared, memory }
    }

    /// Works until the engine is closed.
    pub(crate) fn work(mut self) {
        while let Some(task) = self.shared.next_task() {
            match task {
                Task::Run(job, signals, progress, voice) => {
                    let memory = &mut self.memory;
                    let ended = run::run(&self.shared, memory, &job, &signals, progress, voice);
                    // The job keeps the prompt alive; the history has what it needs of it.
                    drop(job);
                    self.settle();
                    match ended {
                        Ended::Finished(finished) => self.shared.finish(*finished),
                        Ended::Closing(closing) => self.memory.closer.close(*closing),
                    }
                }
                Task::Free(request) => {
                    self.settle();
                    self.free(request);
                }
                Task::Rest => {
                    self.settle();
                    self.shared.tell_idle();
                }
            }
        }
        self.settle();
    }

    /// Waits until the prompt before has ended.
    fn settle(&mut self) {
        let Memory {
            closer, results, ..
        } = &mut self.memory;
        closer.settle(results);
    }

    fn free(&mut self, request: FreeRequest) {
        if request.free_memory {
            self.memory.results.clear();
            self.memory.instances.lock().clear();
        }
        self.shared.free_models(request);
        self.shared.tell_idle();
    }
}

impl Shared {
    fn tell_idle(&self) {
        if catch_unwind(AssertUnwindSafe(|| (self.options.on_idle)())).is_err() {
            tracing::error!("giving memory back panicked");
        }
    }

    /// Frees what nodes hold outside of their results.
    pub(crate) fn free_models(&self, request: FreeRequest) {
        if catch_unwind(AssertUnwindSafe(|| (self.options.on_free)(request))).is_err() {
            tracing::error!("freeing memory panicked");
        }
    }
}
