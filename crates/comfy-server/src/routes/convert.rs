//! `POST /api/v1/convert`: the prompt that a saved workflow stands for.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use comfy_api::blocking::PromptDocument;
use comfy_api::error::ErrorDetail;
use serde_json::Value as Json;

use super::on_thread;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;
use crate::workflow::Converted;

/// Turn a saved workflow into a prompt, without running it.
///
/// The body is the workflow, or an object that holds it as `workflow`. Nodes that the server does not know are named in the refusal.
/// A prompt comes back as it is.
#[utoipa::path(
    post, path = "/api/v1/convert", operation_id = "convert_workflow", tag = "api",
    request_body(content = Json, content_type = "application/json"),
    responses(
        (status = 200, description = "The prompt.", body = PromptDocument),
        (status = 400, description = "It is no workflow, or it has nodes that are not known here.", body = ErrorDetail),
        (status = 413, description = "The body is larger than `--max-upload-size`.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn convert_workflow(State(state): State<AppState>, request: Request) -> Response {
    match convert(state, request).await {
        Ok(response) => response,
        Err(error) => match error.detail() {
            Some(detail) => reply::json(StatusCode::BAD_REQUEST, &detail),
            None => error.into_response(),
        },
    }
}

async fn convert(state: AppState, request: Request) -> ApiResult {
    let mut body = body::json(request).await?;
    let workflow = match body.get_mut("workflow") {
        Some(inner) => inner.take(),
        None => body,
    };
    if !workflow.is_object() {
        return Err(ApiError::BadRequest(format!(
            "expected a workflow, got {workflow}"
        )));
    }
    let converted = on_thread(move || Converted::from_either(&state, workflow)).await??;
    Ok(reply::json(StatusCode::OK, &converted.prompt))
}
