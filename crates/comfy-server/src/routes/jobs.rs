//! `/api/jobs`: every prompt that is known, wherever it is, and stopping it there.

mod listing;
mod outputs;
mod report;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use comfy_api::jobs::{CancelRequest, Cancelled, JobDetail, JobList, JobsError};
use serde_json::Value as Json;
use uuid::Uuid;

use super::on_thread;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::query::Query;
use crate::reply;
use crate::state::AppState;
use listing::{Listing, ListingQuery};

/// Jobs that wait, run and have ended.
///
/// What `/queue` and `/history` tell, in one form, and how far the running one is.
#[utoipa::path(
    get, path = "/api/jobs", operation_id = "get_jobs", tag = "ui",
    params(ListingQuery),
    responses(
        (status = 200, description = "The jobs that were asked for, the newest first unless another order was.", body = JobList, example = json!({
            "jobs": [{
                "id": "2a0b2c55-3f34-4b62-8dbd-3d5dd5a4ba5c", "status": "in_progress", "priority": 4, "create_time": 1_760_000_000_000_u64,
                "execution_start_time": 1_760_000_001_000_u64, "outputs_count": 0, "previewable_outputs_count": 0,
                "progress": {"value": 0.5, "nodes_done": 3, "nodes_total": 7, "node": {"node_id": "3", "display_node_id": "3", "value": 10, "max": 20}},
            }],
            "pagination": {"offset": 0, "limit": 1, "total": 3, "has_more": true},
        })),
        (status = 400, description = "A parameter has a value that it cannot have.", body = JobsError),
    ),
)]
pub(super) async fn get_jobs(
    State(state): State<AppState>,
    Query(query): Query<ListingQuery>,
) -> ApiResult {
    let listing = match Listing::parse(&query) {
        Ok(listing) => listing,
        Err(error) => return Ok(refused(StatusCode::BAD_REQUEST, error)),
    };
    on_thread(move || reply::json(StatusCode::OK, &listing.of(&state.engine().jobs()))).await
}

/// One job, with what was asked and what came out.
#[utoipa::path(
    get, path = "/api/jobs/{job_id}", operation_id = "get_job", tag = "ui",
    params(("job_id" = String, Path, description = "The id of the prompt.")),
    responses(
        (status = 200, description = "The job.", body = JobDetail),
        (status = 404, description = "There is no such job: it never was, it was taken out of the queue, or the history has forgotten it.", body = JobsError,
            example = json!({"error": "Job not found"})),
    ),
)]
pub(super) async fn get_job(
    State(state): State<AppState>,
    Path(job_id): Path<String>,
) -> ApiResult {
    on_thread(move || match state.engine().job(&job_id) {
        Some(job) => reply::json(StatusCode::OK, &report::detail(&job)),
        None => refused(StatusCode::NOT_FOUND, "Job not found"),
    })
    .await
}

/// Stop a job wherever it is.
///
/// A job that waits is taken out of the queue, one that runs is interrupted; one that has ended, or is unknown, is left as it is.
#[utoipa::path(
    post, path = "/api/jobs/{job_id}/cancel", operation_id = "cancel_job", tag = "ui",
    params(("job_id" = String, Path, description = "The id of the prompt.")),
    responses((status = 200, description = "Whether there was something to stop.", body = Cancelled, example = json!({"cancelled": true}))),
)]
pub(super) async fn cancel_job(
    State(state): State<AppState>,
    Path(job_id): Path<String>,
) -> ApiResult {
    let cancelled = on_thread(move || state.engine().cancel(&job_id)).await?;
    Ok(reply::json(StatusCode::OK, &Cancelled { cancelled }))
}

/// Stop several jobs.
///
/// As with one job: those that have ended or are unknown are passed over. Nothing is stopped if one of the ids is no id.
#[utoipa::path(
    post, path = "/api/jobs/cancel", operation_id = "cancel_jobs", tag = "ui",
    request_body(content = CancelRequest, example = json!({"job_ids": ["2a0b2c55-3f34-4b62-8dbd-3d5dd5a4ba5c"]})),
    responses(
        (status = 200, description = "Whether there was something to stop.", body = Cancelled, example = json!({"cancelled": true})),
        (status = 400, description = "The body is no JSON, or the ids are no list of UUIDs in lower case with hyphens.", body = JobsError),
    ),
)]
pub(super) async fn cancel_jobs(State(state): State<AppState>, request: Request) -> ApiResult {
    let body = match body::json(request).await {
        Err(ApiError::BadRequest(text)) => return Ok(refused(StatusCode::BAD_REQUEST, text)),
        body => body?,
    };
    let job_ids = match ids(&body) {
        Ok(job_ids) => job_ids,
        Err(error) => return Ok(reply::json(StatusCode::BAD_REQUEST, &error)),
    };
    let cancelled = on_thread(move || {
        let stopped = job_ids.iter().filter(|id| state.engine().cancel(id));
        stopped.count() > 0
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &Cancelled { cancelled }))
}

fn refused(status: StatusCode, error: impl Into<String>) -> Response {
    let error = JobsError {
        error: error.into(),
        invalid_ids: None,
    };
    reply::json(status, &error)
}

/// The ids in the body of a request.
fn ids(body: &Json) -> Result<Vec<String>, JobsError> {
    let Some(Json::Array(items)) = body.get("job_ids") else {
        return Err(JobsError {
            error: "expected an object with a list of ids as `job_ids`".to_owned(),
            invalid_ids: None,
        });
    };
    let (mut job_ids, mut invalid) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Json::String(id) if is_canonical(id) => job_ids.push(id.clone()),
            Json::String(text) => invalid.push(text.clone()),
            other => invalid.push(other.to_string()),
        }
    }
    if invalid.is_empty() {
        Ok(job_ids)
    } else {
        Err(JobsError {
            error: "expected UUIDs in lower case with hyphens as `job_ids`".to_owned(),
            invalid_ids: Some(invalid),
        })
    }
}

/// Whether a text is a UUID as the server writes them. Ids are compared letter by letter, so another spelling would find nothing.
fn is_canonical(text: &str) -> bool {
    text.parse::<Uuid>()
        .is_ok_and(|id| id.hyphenated().to_string() == text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_canonical_or_refused() {
        let id = "2a0b2c55-3f34-4b62-8dbd-3d5dd5a4ba5c";
        assert_eq!(ids(&json!({"job_ids": [id, id]})), Ok(vec![id.into(); 2]));
        assert_eq!(ids(&json!({"job_ids": []})), Ok(vec![]));
        for body in [
            json!(null),
            json!([]),
            json!({}),
            json!({"job_ids": id}),
            json!({"job_ids": null}),
        ] {
            assert_eq!(ids(&body).expect_err("unusable").invalid_ids, None);
        }
        let bad = json!({"job_ids": [id, id.to_uppercase(), "x", 5, {"a": 1}, format!("{{{id}}}"), id.replace('-', "")]});
        let invalid = ids(&bad).expect_err("unusable").invalid_ids;
        assert_eq!(invalid.expect("the bad ones").len(), 6);
    }
}
