//! `GET /history`, `GET /history/{prompt_id}` and `POST /history`.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use comfy_api::history::History;
use comfy_api::queue::DeleteRequest;
use serde::Deserialize;
use utoipa::IntoParams;

use super::on_thread;
use super::queue::Removal;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::query::Query;
use crate::reply;
use crate::state::AppState;

/// The query of `GET /history`.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// At most this many entries.
    #[param(nullable = false, value_type = Option<i64>)]
    max_items: Option<String>,
    /// The first entry, counted from the oldest. Without it, or if it is negative, the newest `max_items` entries are meant.
    #[param(nullable = false, value_type = Option<i64>)]
    offset: Option<String>,
}

/// The prompts that have ended.
#[utoipa::path(
    get, path = "/history", operation_id = "get_history", tag = "ui",
    params(HistoryQuery),
    responses(
        (status = 200, description = "Prompt id → what was asked, what came out and how it went; the oldest first.", body = History),
        (status = 400, description = "A number was expected.", body = comfy_api::error::PromptRefused),
    ),
)]
pub(super) async fn get_history(
    State(state): State<AppState>,
    Query(query): Query<HistoryQuery>,
) -> ApiResult {
    let max_items = integer("max_items", query.max_items.as_deref())?;
    let offset = integer("offset", query.offset.as_deref())?;
    on_thread(move || reply::json(StatusCode::OK, &state.engine().history(max_items, offset))).await
}

/// One prompt that has ended.
#[utoipa::path(
    get, path = "/history/{prompt_id}", operation_id = "get_history_of_prompt", tag = "ui",
    params(("prompt_id" = String, Path, description = "The identifier of the prompt.")),
    responses((status = 200, description = "The entry by its id; an empty object while the prompt has not ended, or if it is unknown.", body = History)),
)]
pub(super) async fn get_history_of_prompt(
    State(state): State<AppState>,
    Path(prompt_id): Path<String>,
) -> ApiResult {
    on_thread(move || {
        let entry = state.engine().history_entry(&prompt_id);
        reply::json(
            StatusCode::OK,
            &History(entry.map(|entry| (prompt_id, entry)).into_iter().collect()),
        )
    })
    .await
}

/// Forget prompts that have ended.
#[utoipa::path(
    post, path = "/history", operation_id = "post_history", tag = "ui",
    request_body = DeleteRequest,
    responses(
        (status = 200, description = "Done; unknown prompts are ignored. The body is empty."),
        (status = 400, description = "The body is not JSON, or `delete` is no list.", body = comfy_api::error::PromptRefused),
    ),
)]
pub(super) async fn post_history(State(state): State<AppState>, request: Request) -> ApiResult {
    let removal = Removal::parse(&body::json(request).await?)?;
    if removal.everything {
        state.engine().clear_history();
    }
    if !removal.prompt_ids.is_empty() {
        state.engine().delete_history(&removal.prompt_ids);
    }
    Ok(reply::empty(StatusCode::OK))
}

/// A whole number of the query.
fn integer(name: &str, text: Option<&str>) -> Result<Option<i64>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(ApiError::BadRequest(format!(
            "expected a whole number as `{name}`, got `{text}`"
        ))),
    }
}
