//! `GET /view_metadata/{folder}`: what a model file says of itself.

use std::fs::File;
use std::io::Read as _;
use std::path::Path as FilePath;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::on_thread;
use crate::error::{ApiError, ApiResult};
use crate::query::Query;
use crate::reply;
use crate::state::AppState;

/// A longer header is not read.
const LONGEST_HEADER: u64 = 1 << 20;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    filename: Option<String>,
}

/// What a model file says of itself.
#[utoipa::path(
    get, path = "/view_metadata/{folder}", operation_id = "view_metadata", tag = "ui",
    params(
        ("folder" = String, Path, description = "Name of a model folder."),
        ("filename" = Option<String>, Query, description = "A .safetensors file of that folder."),
    ),
    responses(
        (status = 200, description = "The `__metadata__` of the file's header.", body = Map<String, Value>),
        (status = 404, description = "There is no such file, or it says nothing of itself."),
    ),
)]
pub(super) async fn view_metadata(
    State(state): State<AppState>,
    Path(folder): Path<String>,
    Query(wanted): Query<Wanted>,
) -> ApiResult {
    let nothing = || ApiError::Status(StatusCode::NOT_FOUND);
    let name = wanted
        .filename
        .filter(|name| name.ends_with(".safetensors"))
        .ok_or_else(nothing)?;
    let folders = state.folders().clone();
    let metadata = on_thread(move || metadata_of(&folders.find(&folder, &name).ok()?)).await?;
    Ok(reply::json(StatusCode::OK, &metadata.ok_or_else(nothing)?))
}

/// The `__metadata__` of a safetensors file; `None` when there is none or the file is not one.
fn metadata_of(path: &FilePath) -> Option<Value> {
    let mut file = File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return None;
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).ok()?;
    let mut header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
    header.remove("__metadata__")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_the_header_of_a_safetensors_file_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let write = |length: u64, text: &str| {
            let bytes = [&length.to_le_bytes(), text.as_bytes()].concat();
            std::fs::write(&path, bytes).unwrap();
            metadata_of(&path)
        };
        let header = r#"{"__metadata__":{"format":"pt"},"a":{}}"#;
        let expected = serde_json::json!({"format": "pt"});
        assert_eq!(write(header.len() as u64, header), Some(expected));
        assert_eq!(write(2, "{}"), None);
        assert_eq!(write(u64::MAX, header), None);
        assert_eq!(write(5, header), None);
        assert_eq!(metadata_of(folder.path()), None);
    }
}
