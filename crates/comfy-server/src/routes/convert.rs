//! `POST /api/v1/convert`: the prompt that a saved workflow stands for.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use comfy_api::blocking::PromptDocument;
use comfy_api::error::ErrorDetail;
use comfy_api::workflow::Workflow;

use super::on_thread;
use crate::body;
use crate::error::ApiResult;
use crate::reply;
use crate::state::AppState;
use crate::workflow::Converted;

/// Turn a saved workflow into a prompt, without running it.
///
/// Nodes that the server does not know are named in the refusal.
#[utoipa::path(
    post, path = "/api/v1/convert", operation_id = "convert_workflow", tag = "api",
    request_body = Workflow,
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
    let workflow = body::json(request).await?;
    let converted = on_thread(move || Converted::from_workflow(&state, workflow)).await??;
    Ok(reply::json(StatusCode::OK, &converted.prompt))
}
