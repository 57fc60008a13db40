//! A job in the form that clients get.

use comfy_api::history::{HistoryEntry, StatusText};
use comfy_api::jobs::{Job, JobDetail, JobStatus, JobWorkflow};
use comfy_api::queue::QueueTuple;
use comfy_exec::{KnownJob, Stage};
use serde_json::Value as Json;

use super::outputs;

/// How a job is.
pub(super) fn status(job: &KnownJob) -> JobStatus {
    match &job.stage {
        Stage::Pending { .. } => JobStatus::Pending,
        Stage::Running { .. } => JobStatus::InProgress,
        Stage::Finished(entry) => match entry.status.status_str {
            StatusText::Success => JobStatus::Completed,
            StatusText::Error if message(entry, "execution_interrupted").is_some() => {
                JobStatus::Cancelled
            }
            StatusText::Error => JobStatus::Failed,
        },
    }
}

/// The id of the saved workflow that a prompt was made from.
pub(super) fn workflow_id(row: &QueueTuple) -> Option<&str> {
    let information = row.extra_data.get("extra_pnginfo")?;
    information.pointer("/workflow/id")?.as_str()
}

/// How long a job ran, in milliseconds; 0 until it has ended.
pub(super) fn duration(job: &KnownJob) -> i128 {
    match &job.stage {
        Stage::Finished(entry) => match (started(entry), ended(entry)) {
            (Some(start), Some(end)) => i128::from(end) - i128::from(start),
            _ => 0,
        },
        _ => 0,
    }
}

/// A job as lists have it.
pub(super) fn job(known: &KnownJob) -> Job {
    let row = known.row();
    let mut job = Job {
        id: row.prompt_id.clone(),
        status: status(known),
        priority: row.number.clone(),
        create_time: known.created,
        execution_start_time: None,
        execution_end_time: None,
        execution_error: None,
        outputs_count: 0,
        previewable_outputs_count: 0,
        preview_output: None,
        workflow_id: workflow_id(row).map(str::to_owned),
        queue_position: None,
        progress: None,
    };
    match &known.stage {
        Stage::Pending { position, .. } => job.queue_position = Some(*position),
        Stage::Running {
            started, progress, ..
        } => {
            job.execution_start_time = Some(*started);
            job.progress = Some(progress.clone());
        }
        Stage::Finished(entry) => {
            job.execution_start_time = started(entry);
            job.execution_end_time = ended(entry);
            job.execution_error = message(entry, "execution_error").cloned();
            let summary = outputs::summary(&entry.outputs);
            job.outputs_count = summary.count;
            job.previewable_outputs_count = summary.previewable;
            job.preview_output = summary.preview;
        }
    }
    job
}

/// A job with all that is known of it.
pub(super) fn detail(known: &KnownJob) -> JobDetail {
    let row = known.row();
    let mut extra_data = (*row.extra_data).clone();
    extra_data.insert("create_time".to_owned(), Json::from(known.created));
    let entry = match &known.stage {
        Stage::Finished(entry) => Some(entry),
        _ => None,
    };
    JobDetail {
        job: job(known),
        outputs: entry.map(|entry| outputs::normalised(&entry.outputs)),
        execution_status: entry.map(|entry| entry.status.clone()),
        workflow: JobWorkflow {
            prompt: row.prompt.clone(),
            extra_data,
        },
    }
}

fn started(entry: &HistoryEntry) -> Option<u64> {
    timestamp(message(entry, "execution_start")?)
}

fn ended(entry: &HistoryEntry) -> Option<u64> {
    const ENDS: [&str; 3] = [
        "execution_success",
        "execution_error",
        "execution_interrupted",
    ];
    timestamp(ENDS.iter().find_map(|kind| message(entry, kind))?)
}

fn message<'a>(entry: &'a HistoryEntry, kind: &str) -> Option<&'a Json> {
    let mut messages = entry.status.messages.iter().rev();
    messages
        .find(|message| message.0 == kind)
        .map(|message| &message.1)
}

fn timestamp(data: &Json) -> Option<u64> {
    data.get("timestamp")?.as_u64()
}
