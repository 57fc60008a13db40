//! `GET /`: the page.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::page;
use crate::error::{ApiError, ApiResult};
use crate::front_end::FrontEnd;
use crate::reply;
use crate::state::AppState;

/// The page for a browser.
///
/// A small one that runs the default workflow, or the `index.html` of `--front-end-root` or `--front-end-version`.
#[utoipa::path(
    get, path = "/", operation_id = "get_root", tag = "ui",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html", example = "<!DOCTYPE html>...")),
)]
pub(super) async fn get_root(State(state): State<AppState>) -> ApiResult {
    let page = match state.front_end() {
        None => page::index(),
        Some(FrontEnd { root, .. }) => {
            let content = tokio::fs::read_to_string(root.join("index.html")).await.map_err(|error| {
                tracing::warn!(%error, directory = %root.display(), "the front end has no index.html");
                ApiError::Status(StatusCode::NOT_FOUND)
            })?;
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            reply::typed(StatusCode::OK, html, content)
        }
    };
    Ok(uncached(page))
}

/// The page names the files that fit it, so an old copy of it would break after an update.
fn uncached(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::EXPIRES, HeaderValue::from_static("0"));
    response
}
