//! `GET` and `POST /settings`, whole or one of them.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value as Json};

use super::on_thread;
use super::users::sender;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;

/// All settings of the user.
#[utoipa::path(
    get, path = "/settings", operation_id = "get_settings", tag = "ui",
    responses(
        (status = 200, description = "Values by the settings' ids.", body = Map<String, Json>),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn get_settings(State(state): State<AppState>, headers: HeaderMap) -> ApiResult {
    on_thread(move || {
        let settings = sender(&state, &headers)?.settings()?;
        Ok(reply::json(StatusCode::OK, &settings))
    })
    .await?
}

/// One setting of the user.
#[utoipa::path(
    get, path = "/settings/{id}", operation_id = "get_setting", tag = "ui",
    params(("id" = String, Path, description = "Id of the setting.")),
    responses(
        (status = 200, description = "Its value; null when it is not set.", body = Json),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn get_setting(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult {
    on_thread(move || {
        let settings = sender(&state, &headers)?.settings()?;
        let value = settings.get(&id).unwrap_or(&Json::Null);
        Ok(reply::json(StatusCode::OK, value))
    })
    .await?
}

/// Change settings of the user.
#[utoipa::path(
    post, path = "/settings", operation_id = "post_settings", tag = "ui",
    request_body = Map<String, Json>,
    responses(
        (status = 200, description = "They are kept; settings that are not named stay as they are."),
        (status = 400, description = "The body is no JSON object.", body = comfy_api::error::PromptRefused),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn post_settings(
    State(state): State<AppState>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult {
    let Json::Object(new) = body::json(request).await? else {
        return Err(ApiError::BadRequest(
            "expected an object of settings in the request body".to_owned(),
        ));
    };
    change(state, headers, move |settings| settings.extend(new)).await
}

/// Change one setting of the user.
#[utoipa::path(
    post, path = "/settings/{id}", operation_id = "post_setting", tag = "ui",
    params(("id" = String, Path, description = "Id of the setting.")),
    request_body = Json,
    responses(
        (status = 200, description = "It is kept."),
        (status = 400, description = "The body is no JSON.", body = comfy_api::error::PromptRefused),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn post_setting(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult {
    let value = body::json(request).await?;
    change(state, headers, move |settings| {
        settings.insert(id, value);
    })
    .await
}

async fn change(
    state: AppState,
    headers: HeaderMap,
    change: impl FnOnce(&mut Map<String, Json>) + Send + 'static,
) -> ApiResult {
    on_thread(move || {
        let user = sender(&state, &headers)?;
        state.users().change_settings(&user, change)?;
        Ok(reply::empty(StatusCode::OK))
    })
    .await?
}
