//! Where every prompt is that the engine knows: waiting, running or ended.

use std::sync::Arc;

use comfy_api::history::HistoryEntry;
use comfy_api::jobs::JobProgress;
use comfy_api::queue::QueueTuple;

use crate::Engine;
use crate::history::Kept;
use crate::pending::Job;
use crate::shared::RunningJob;

/// A prompt that waits, runs or has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownJob {
    /// When it was submitted, in milliseconds since 1970.
    pub created: u64,
    /// Where it is.
    pub stage: Stage,
}

/// Where a prompt is.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// It waits.
    Pending {
        /// What clients see of it.
        row: QueueTuple,
        /// Its place in the queue; 1 runs next.
        position: usize,
    },
    /// It runs.
    Running {
        /// What clients see of it.
        row: QueueTuple,
        /// When it began, in milliseconds since 1970.
        started: u64,
        /// How far it is.
        progress: JobProgress,
    },
    /// It has ended, well or not.
    Finished(Arc<HistoryEntry>),
}

impl KnownJob {
    /// What clients see of it.
    pub fn row(&self) -> &QueueTuple {
        match &self.stage {
            Stage::Pending { row, .. } | Stage::Running { row, .. } => row,
            Stage::Finished(entry) => &entry.prompt,
        }
    }
}

impl Engine {
    /// All prompts that are known: those that run, those that wait, the next one first, and those that have ended, the oldest
    /// first.
    pub fn jobs(&self) -> Vec<KnownJob> {
        let state = self.state();
        let waiting = state.pending.iter().zip(1..).map(waiting);
        let ended = state.history.iter().map(ended);
        let running = state.running.iter().map(running);
        running.chain(waiting).chain(ended).collect()
    }

    /// One prompt. Of several with the same id it is the one that runs, else the one that waits, else the one that has ended.
    pub fn job(&self, prompt_id: &str) -> Option<KnownJob> {
        let state = self.state();
        if let Some(job) = state.running(prompt_id) {
            return Some(running(job));
        }
        let mut pending = state.pending.iter().zip(1..);
        let waits = pending.find(|(job, _)| job.row.prompt_id == prompt_id);
        waits
            .map(waiting)
            .or_else(|| state.history.kept(prompt_id).map(ended))
    }

    /// Stops a prompt wherever it is: one that waits is taken out of the queue, one that runs is interrupted. Whether there was
    /// anything to do; a prompt that has ended stays as it is.
    pub fn cancel(&self, prompt_id: &str) -> bool {
        // Between the two it can only move from waiting to running.
        self.delete_pending(&[prompt_id.to_owned()]) > 0 || self.interrupt(Some(prompt_id))
    }
}

fn running(job: &RunningJob) -> KnownJob {
    KnownJob {
        created: job.created,
        stage: Stage::Running {
            row: job.row.clone(),
            started: job.started,
            progress: job.progress.lock().summary(),
        },
    }
}

fn waiting((job, position): (&Job, usize)) -> KnownJob {
    KnownJob {
        created: job.created,
        stage: Stage::Pending {
            row: job.row.clone(),
            position,
        },
    }
}

fn ended(kept: &Kept) -> KnownJob {
    KnownJob {
        created: kept.created,
        stage: Stage::Finished(Arc::clone(&kept.entry)),
    }
}
