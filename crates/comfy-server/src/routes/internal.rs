//! `/internal/…`: what the front end's own panels ask for.

use std::time::SystemTime;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use comfy_api::events::Logs;
use comfy_api::internal::LogSubscription;
use indexmap::IndexMap;
use serde_json::json;

use super::on_thread;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::logging::{LogBook, terminal};
use crate::reply;
use crate::state::AppState;

/// The log as text.
#[utoipa::path(
    get, path = "/internal/logs", operation_id = "get_logs", tag = "internal",
    responses((status = 200, description = "The last lines, each after its time.", body = String, content_type = "application/json")),
)]
pub(super) async fn get_logs() -> ApiResult {
    let mut text = String::new();
    for line in LogBook::shared().lines() {
        text += &line.t;
        text += " - ";
        text += &line.m;
    }
    Ok(reply::json(StatusCode::OK, &text))
}

/// The log line by line.
#[utoipa::path(
    get, path = "/internal/logs/raw", operation_id = "get_raw_logs", tag = "internal",
    responses((status = 200, description = "The last lines, and the size of the terminal.", body = Logs)),
)]
pub(super) async fn get_raw_logs() -> ApiResult {
    let logs = Logs {
        entries: LogBook::shared().lines(),
        size: Some(terminal::size().unwrap_or(terminal::USUAL)),
    };
    Ok(reply::json(StatusCode::OK, &logs))
}

/// Follow the log over the websocket, or no longer.
#[utoipa::path(
    patch, path = "/internal/logs/subscribe", operation_id = "subscribe_logs", tag = "internal",
    request_body = LogSubscription,
    responses(
        (status = 200, description = "New lines come as `logs` messages."),
        (status = 400, description = "The body is not what was expected.", body = comfy_api::error::PromptRefused),
    ),
)]
pub(super) async fn subscribe_logs(State(state): State<AppState>, request: Request) -> ApiResult {
    let body = body::json(request).await?;
    let subscription: LogSubscription = serde_json::from_value(body).map_err(|error| {
        ApiError::BadRequest(format!(
            "expected {{\"clientId\": text, \"enabled\": true or false}}: {error}"
        ))
    })?;
    let hub = state.hub();
    hub.set_wants_logs(&subscription.client_id, subscription.enabled);
    Ok(reply::empty(StatusCode::OK))
}

/// The directories of all model folders.
#[utoipa::path(
    get, path = "/internal/folder_paths", operation_id = "get_folder_paths", tag = "internal",
    responses((status = 200, description = "Directories by the folders' keys.", body = std::collections::HashMap<String, Vec<String>>)),
)]
pub(super) async fn get_folder_paths(State(state): State<AppState>) -> ApiResult {
    let folders = state.folders();
    let paths: IndexMap<&str, Vec<String>> = folders
        .model_folders()
        .filter_map(|key| Some((key, folders.model_folder(key)?)))
        .map(|(key, folder)| {
            let paths = folder.directories.iter();
            let names = paths.map(|path| path.to_string_lossy().into_owned());
            (key, names.collect())
        })
        .collect();
    Ok(reply::json(StatusCode::OK, &paths))
}

/// The files in a directory, the newest first.
#[utoipa::path(
    get, path = "/internal/files/{directory_type}", operation_id = "get_files", tag = "internal",
    params(("directory_type" = String, Path, description = "`output`, `input` or `temp`.")),
    responses(
        (status = 200, description = "Names of the files; those of folders in it are not told.", body = Vec<String>),
        (status = 400, description = "There is no such directory.", body = serde_json::Value),
    ),
)]
pub(super) async fn get_files(
    State(state): State<AppState>,
    Path(kind): Path<String>,
) -> ApiResult {
    let Some(directory) = state.folders().directory(&kind).map(ToOwned::to_owned) else {
        return Ok(reply::json(
            StatusCode::BAD_REQUEST,
            &json!({"error": "Invalid directory type"}),
        ));
    };
    let names = on_thread(move || {
        let mut files: Vec<(SystemTime, String)> = std::fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let metadata = entry.path().metadata().ok()?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_shown = metadata.is_file() && !name.starts_with('.');
                is_shown.then_some((metadata.modified().ok()?, name))
            })
            .collect();
        files.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        files.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &names))
}
