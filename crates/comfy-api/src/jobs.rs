//! `/api/jobs`: where every prompt is that the server knows, in one form whether it waits, runs or has ended.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use utoipa::ToSchema;

use crate::history::{ExecutionStatus, Outputs};

/// How a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// It waits.
    Pending,
    /// It runs.
    InProgress,
    /// It ran to its end.
    Completed,
    /// A node failed.
    Failed,
    /// Somebody interrupted it.
    Cancelled,
}

impl JobStatus {
    /// All of them, as they follow each other.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::InProgress,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A prompt on its way from the queue to the history. What is not known is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// The id of the prompt.
    pub id: String,
    /// How it is.
    pub status: JobStatus,
    /// The number it was queued with; the lowest runs first.
    #[schema(value_type = f64)]
    pub priority: Number,
    /// When it was queued, in milliseconds since 1970.
    pub create_time: u64,
    /// When it began to run, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_start_time: Option<u64>,
    /// When it ended, in milliseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_end_time: Option<u64>,
    /// The data of its `execution_error`, if a node failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Map<String, Value>>)]
    pub execution_error: Option<Value>,
    /// How many files and other things its nodes gave out. Bare texts do not count.
    pub outputs_count: usize,
    /// How many of them a browser can show.
    pub previewable_outputs_count: usize,
    /// The output that stands for the job in a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub preview_output: Option<PreviewOutput>,
    /// The id of the saved workflow it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub workflow_id: Option<String>,
    /// Its place in the queue while it waits; 1 runs next. Not in ComfyUI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub queue_position: Option<usize>,
    /// How far it is while it runs. Not in ComfyUI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub progress: Option<JobProgress>,
}

/// How far a running prompt is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobProgress {
    /// The part that is done, from 0 to 1. Every node counts alike, and a node that reports its steps counts in part. When nodes add
    /// others while they run, it goes back.
    #[schema(minimum = 0, maximum = 1)]
    pub value: f64,
    /// Nodes that have run.
    pub nodes_done: usize,
    /// Nodes that have to run as far as is known; those whose results are cached do not.
    pub nodes_total: usize,
    /// The node that runs, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub node: Option<RunningNode>,
}

/// A node that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunningNode {
    /// The node.
    pub node_id: String,
    /// The node of the workflow that shows it.
    pub display_node_id: String,
    /// Steps done.
    #[schema(value_type = f64)]
    pub value: Number,
    /// All steps.
    #[schema(value_type = f64)]
    pub max: Number,
}

/// An output that stands for a job: a file with the members of a `FileOutput`, or the beginning of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviewOutput {
    /// What the node told of it.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    pub item: Map<String, Value>,
    /// The node that gave it out.
    #[serde(rename = "nodeId")]
    pub node_id: String,
    /// The kind under which the node lists it, such as `images`.
    #[serde(rename = "mediaType")]
    pub media_type: String,
}

/// The answer of `GET /api/jobs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs that were asked for.
    pub jobs: Vec<Job>,
    /// Which part of all jobs they are.
    pub pagination: Pagination,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pagination {
    /// How many were left out before the first.
    pub offset: usize,
    /// How many were asked for at most; null is all.
    pub limit: Option<usize>,
    /// How many there are.
    pub total: usize,
    /// Whether there are more after the last.
    pub has_more: bool,
}

/// The answer of `GET /api/jobs/{job_id}`: the job, what was asked, and once it has ended what came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobDetail {
    /// What the list tells too.
    #[serde(flatten)]
    pub job: Job,
    /// Node id → what the node shows, for every node that shows something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<Outputs>)]
    pub outputs: Option<IndexMap<String, Value>>,
    /// How it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_status: Option<ExecutionStatus>,
    /// What was asked.
    pub workflow: JobWorkflow,
}

/// What a job was asked to do.
#[derive(Clone, Debug, PartialEq, ToSchema)]
#[schema(rename_all = "snake_case")]
pub struct JobWorkflow {
    /// The prompt: node id → node.
    #[schema(value_type = Object)]
    pub prompt: Arc<Value>,
    /// What the client sent along, and `create_time`.
    #[schema(value_type = Object)]
    pub extra_data: Map<String, Value>,
}

impl Serialize for JobWorkflow {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;

        let mut members = serializer.serialize_struct("JobWorkflow", 2)?;
        members.serialize_field("prompt", &*self.prompt)?;
        members.serialize_field("extra_data", &self.extra_data)?;
        members.end()
    }
}

impl<'de> Deserialize<'de> for JobWorkflow {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members {
            prompt: Value,
            extra_data: Map<String, Value>,
        }
        let Members { prompt, extra_data } = Members::deserialize(deserializer)?;
        Ok(Self {
            prompt: Arc::new(prompt),
            extra_data,
        })
    }
}

/// The body of `POST /api/jobs/cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelRequest {
    /// UUIDs in lower case with hyphens. Those of jobs that have ended or are unknown are passed over.
    pub job_ids: Vec<String>,
}

/// The answer to a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    /// Whether a job was interrupted or taken out of the queue. False if there was nothing to do.
    pub cancelled: bool,
}

/// Why a request about jobs was not served.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobsError {
    /// In words.
    pub error: String,
    /// The ids that are no UUIDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub invalid_ids: Option<Vec<String>>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_known_is_absent() {
        let job = json!({"id": "x", "status": "in_progress", "priority": -1.5, "create_time": 7, "outputs_count": 0,
            "previewable_outputs_count": 0, "progress": {"value": 0.5, "nodes_done": 1, "nodes_total": 2}});
        let parsed: Job = serde_json::from_value(job.clone()).unwrap();
        assert_eq!(parsed.status, JobStatus::InProgress);
        assert_eq!(serde_json::to_value(&parsed).unwrap(), job);
    }

    #[test]
    fn a_detail_is_one_object() {
        let detail = json!({"id": "x", "status": "completed", "priority": 1, "create_time": 7, "outputs_count": 1,
            "previewable_outputs_count": 1,
            "preview_output": {"filename": "a.png", "subfolder": "", "type": "output", "nodeId": "9", "mediaType": "images"},
            "outputs": {}, "workflow": {"prompt": {"1": {}}, "extra_data": {"create_time": 7}}});
        let parsed: JobDetail = serde_json::from_value(detail.clone()).unwrap();
        let preview = parsed.job.preview_output.as_ref().unwrap();
        assert_eq!(
            (preview.node_id.as_str(), preview.media_type.as_str()),
            ("9", "images")
        );
        assert_eq!(serde_json::to_value(&parsed).unwrap(), detail);
    }

    #[test]
    fn statuses_have_their_words() {
        for status in JobStatus::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }
}
