//! `GET /object_info` and `GET /object_info/{class}`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use comfy_api::object_info::{NodeInfo, ObjectInfo};

use super::on_thread;
use crate::error::ApiResult;
use crate::reply;
use crate::state::AppState;

/// The node classes: their inputs with limits, defaults and choices, and their outputs.
#[utoipa::path(
    get, path = "/object_info", operation_id = "get_object_info", tag = "ui",
    responses((status = 200, description = "The node classes by name.", body = std::collections::BTreeMap<String, NodeInfo>)),
)]
pub(super) async fn get_object_info(State(state): State<AppState>) -> ApiResult {
    // Choices come from directories, and looking into them takes time.
    on_thread(move || {
        let catalog = state.catalog().as_ref();
        let info: ObjectInfo = state
            .registry()
            .iter()
            .map(|(name, class)| (name.to_owned(), class.schema(catalog).to_object_info()))
            .collect();
        reply::json(StatusCode::OK, &info)
    })
    .await
}

/// One node class.
#[utoipa::path(
    get, path = "/object_info/{class}", operation_id = "get_object_info_of_class", tag = "ui",
    params(("class" = String, Path, description = "Name of a node class.")),
    responses((status = 200, description = "The class by its name; an empty object if there is none.", body = std::collections::BTreeMap<String, NodeInfo>)),
)]
pub(super) async fn get_object_info_of_class(
    State(state): State<AppState>,
    Path(class): Path<String>,
) -> ApiResult {
    on_thread(move || {
        let catalog = state.catalog().as_ref();
        let info: ObjectInfo = state
            .registry()
            .get(&class)
            .map(|found| (class, found.schema(catalog).to_object_info()))
            .into_iter()
            .collect();
        reply::json(StatusCode::OK, &info)
    })
    .await
}
