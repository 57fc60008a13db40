//! `GET /docs` and `GET /docs/{class}/{page}`: texts about the node classes.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};

use super::on_thread;
use crate::documentation;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;

/// Links to the pages of all node classes.
#[utoipa::path(
    get, path = "/docs", operation_id = "get_docs", tag = "ui",
    responses((status = 200, description = "A page for a browser.", body = String, content_type = "text/html")),
)]
pub(super) async fn get_docs(State(state): State<AppState>) -> ApiResult {
    on_thread(move || {
        let page = documentation::index_page(state.registry(), state.catalog().as_ref());
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        reply::typed(StatusCode::OK, html, page)
    })
    .await
}

/// What a node class does, with its inputs, its outputs and an example.
///
/// The front end asks for this when it shows help. The texts are English, whatever language is asked for.
#[utoipa::path(
    get, path = "/docs/{class}/{page}", operation_id = "get_docs_of_class", tag = "ui",
    params(
        ("class" = String, Path, description = "Name of a node class."),
        ("page" = String, Path, description = "A language and `.md`.", example = "en.md"),
    ),
    responses(
        (status = 200, description = "The text as Markdown.", body = String, content_type = "text/markdown"),
        (status = 404, description = "There is no such class, or the page is no Markdown.")
    ),
)]
pub(super) async fn get_docs_of_class(
    State(state): State<AppState>,
    Path((class, page)): Path<(String, String)>,
) -> ApiResult {
    on_thread(move || {
        let found = page.strip_suffix(".md").and_then(|_| {
            documentation::class_page(state.registry(), state.catalog().as_ref(), &class)
        });
        let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
        found
            .map(|text| reply::typed(StatusCode::OK, markdown, text))
            .ok_or(ApiError::Status(StatusCode::NOT_FOUND))
    })
    .await?
}
