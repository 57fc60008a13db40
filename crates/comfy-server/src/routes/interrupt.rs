//! `POST /interrupt`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use comfy_api::queue::InterruptRequest;
use serde_json::Value as Json;

use crate::body;
use crate::error::ApiResult;
use crate::reply;
use crate::state::AppState;

/// Interrupt the prompt that runs.
///
/// With a `prompt_id` only if that is the one; without, whichever it is. A missing or unreadable body counts as an empty one.
#[utoipa::path(
    post, path = "/interrupt", operation_id = "post_interrupt", tag = "ui",
    request_body(content = Option<InterruptRequest>, content_type = "application/json"),
    responses((status = 200, description = "Done, or there was nothing to interrupt; the body is empty.")),
)]
pub(super) async fn post_interrupt(State(state): State<AppState>, request: Request) -> ApiResult {
    let bytes = body::bytes(request).await?;
    let body = body::parse_json(&bytes).unwrap_or(Json::Null);
    let prompt_id = body.get("prompt_id").filter(|id| !id.is_null());
    // Nobody is told whether there was one.
    let _ = match prompt_id {
        None => state.engine().interrupt(None),
        Some(Json::String(id)) => state.engine().interrupt(Some(id)),
        // No prompt has an id that is no text.
        Some(_) => false,
    };
    Ok(reply::empty(StatusCode::OK))
}
