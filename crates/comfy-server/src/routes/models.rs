//! `GET /models` and `GET /models/{folder}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::on_thread;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;

/// The kinds of model files.
#[utoipa::path(
    get, path = "/models", operation_id = "get_models", tag = "ui",
    responses((status = 200, description = "Names of the model folders.", body = Vec<String>)),
)]
pub(super) async fn get_models(State(state): State<AppState>) -> ApiResult {
    let names: Vec<&str> = state.folders().model_folders().collect();
    Ok(reply::json(StatusCode::OK, &names))
}

/// The model files of one kind.
#[utoipa::path(
    get, path = "/models/{folder}", operation_id = "get_models_of_folder", tag = "ui",
    params(("folder" = String, Path, description = "Name of a model folder.")),
    responses(
        (status = 200, description = "Paths of the files below the folder's directories, sorted.", body = Vec<String>),
        (status = 404, description = "There is no such model folder."),
    ),
)]
pub(super) async fn get_models_of_folder(
    State(state): State<AppState>,
    Path(folder): Path<String>,
) -> ApiResult {
    let folders = state.folders().clone();
    // Old names of folders are understood in prompts, but not here.
    if !folders.model_folders().any(|known| known == folder) {
        return Err(ApiError::Status(StatusCode::NOT_FOUND));
    }
    let files = on_thread(move || folders.list(&folder))
        .await?
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    Ok(reply::json(StatusCode::OK, &files))
}
