//! `POST /free`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use comfy_api::document::FreeBody;
use comfy_api::queue::FreeRequest;

use crate::body::{self, is_truthy};
use crate::error::ApiResult;
use crate::reply;
use crate::state::AppState;

/// Unload models or free memory, as soon as no prompt runs.
///
/// `{"unload_models": true}` lets go of the models. `{"free_memory": true}` also forgets all cached results.
#[utoipa::path(
    post, path = "/free", operation_id = "free", tag = "ui",
    request_body = FreeBody,
    responses(
        (status = 200, description = "Accepted; the body is empty."),
        (status = 400, description = "The body is not JSON.", body = comfy_api::error::PromptRefused),
    ),
)]
pub(super) async fn free(State(state): State<AppState>, request: Request) -> ApiResult {
    let body = body::json(request).await?;
    let flag = |name| body.get(name).is_some_and(is_truthy);
    let request = FreeRequest {
        unload_models: flag("unload_models"),
        free_memory: flag("free_memory"),
    };
    if request != FreeRequest::default() {
        state.engine().free(request);
    }
    Ok(reply::empty(StatusCode::OK))
}
