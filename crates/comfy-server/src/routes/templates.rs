//! `GET /templates/…`: the templates of workflows that are installed beside the front end.

use std::path::Path as FilePath;

use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use comfy_nodes::folders::contained;

use super::{on_thread, sent_file};
use crate::error::{ApiError, ApiResult};
use crate::state::AppState;

/// A file of the installed templates; each package has some of them.
pub(super) async fn get_template(
    State(state): State<AppState>,
    UrlPath(path): UrlPath<String>,
    headers: HeaderMap,
) -> ApiResult {
    let name = path.clone();
    let found = on_thread(move || {
        let folders = state.front_end().map(|front_end| &front_end.templates);
        let mut folders = folders.into_iter().flatten();
        folders.find_map(|folder| {
            let file = contained(folder, FilePath::new(&name)).ok()?;
            file.is_file().then_some(file)
        })
    })
    .await?
    .ok_or(ApiError::Status(StatusCode::NOT_FOUND))?;
    sent_file::send(&found, &path, &headers).await
}
