//! `/experiment/models`: the model library of the front end.

use std::path::{Path as FilePath, PathBuf};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use comfy_api::models::{ModelFile, ModelKind};
use comfy_nodes::folders::{Folders, contained};

use super::on_thread;
use super::view::{Conversion, convert};
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;
use crate::walk::{self, DEEPEST, Next};

/// Kinds that hold no models.
const NO_MODELS: [&str; 2] = ["configs", "custom_nodes"];
const MOST_FILES: usize = 100_000;
/// Pictures beside a model that may be its preview.
const PREVIEW_EXTENSIONS: [&str; 6] = ["png", "jpg", "jpeg", "webp", "gif", "bmp"];

/// The kinds of models, with their directories.
#[utoipa::path(
    get, path = "/experiment/models", operation_id = "get_model_kinds", tag = "ui",
    responses((status = 200, description = "The kinds.", body = Vec<ModelKind>)),
)]
pub(super) async fn get_model_kinds(State(state): State<AppState>) -> ApiResult {
    let folders = state.folders();
    let kinds: Vec<ModelKind> = folders
        .model_folders()
        .filter(|name| !NO_MODELS.contains(name))
        .map(|name| ModelKind {
            name: name.to_owned(),
            folders: directories(folders, name)
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
        })
        .collect();
    Ok(reply::json(StatusCode::OK, &kinds))
}

/// The model files of one kind.
#[utoipa::path(
    get, path = "/experiment/models/{folder}", operation_id = "get_model_files", tag = "ui",
    params(("folder" = String, Path, description = "Key of the kind.")),
    responses(
        (status = 200, description = "The files with size and times.", body = Vec<ModelFile>),
        (status = 404, description = "There is no such kind."),
    ),
)]
pub(super) async fn get_model_files(
    State(state): State<AppState>,
    Path(folder): Path<String>,
) -> ApiResult {
    let folders = state.folders().clone();
    if !folders.model_folders().any(|known| known == folder) {
        return Err(ApiError::Status(StatusCode::NOT_FOUND));
    }
    let files = on_thread(move || {
        if let Err(error) = folders.place_offered(&folder) {
            tracing::warn!(%error, "a model that is offered cannot be shown");
        }
        files(&directories(&folders, &folder))
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &files))
}

/// A picture of what a model makes: one beside the model file with its name.
#[utoipa::path(
    get, path = "/experiment/models/preview/{folder}/{path_index}/{filename}", operation_id = "get_model_preview", tag = "ui",
    params(
        ("folder" = String, Path, description = "Key of the kind."),
        ("path_index" = String, Path, description = "Which of its directories."),
        ("filename" = String, Path, description = "The model file; it may have slashes."),
    ),
    responses(
        (status = 200, description = "The picture.", body = Vec<u8>, content_type = "image/webp"),
        (status = 400, description = "The index is no number, or there is no name."),
        (status = 403, description = "The name leads out of the directory."),
        (status = 404, description = "There is no picture."),
    ),
)]
pub(super) async fn get_model_preview(
    State(state): State<AppState>,
    Path((folder, index, name)): Path<(String, String, String)>,
) -> ApiResult {
    let folders = state.folders().clone();
    let picture = on_thread(move || preview_of(&folders, &folder, &index, &name)).await??;
    match convert(&state, picture, Conversion::Webp { alpha: true }).await {
        // A file that only looks like a picture is none.
        Err(ApiError::BadRequest(_)) => Err(ApiError::Status(StatusCode::NOT_FOUND)),
        answered => answered,
    }
}

fn directories(folders: &Folders, kind: &str) -> Vec<PathBuf> {
    folders
        .model_folder(kind)
        .map(|folder| folder.directories.clone())
        .unwrap_or_default()
}

/// Model files in all directories; hidden ones are not shown.
fn files(directories: &[PathBuf]) -> Vec<ModelFile> {
    let mut found = Vec::new();
    for (path_index, directory) in directories.iter().enumerate() {
        let walked = walk::walk(directory, DEEPEST, &mut |path, metadata| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with('.') {
                return Next::Skip;
            }
            if metadata.is_file() && comfy_nodes::folders::is_model_file(&name) {
                found.push(ModelFile {
                    name: walk::relative(path, directory),
                    path_index,
                    modified: walk::modified(metadata),
                    created: walk::created(metadata),
                    size: metadata.len(),
                });
            }
            if found.len() < MOST_FILES {
                Next::Enter
            } else {
                Next::Stop
            }
        });
        if let Err(error) = walked {
            tracing::debug!(%error, directory = %directory.display(), "no models are here");
        }
    }
    found
}

fn preview_of(folders: &Folders, kind: &str, index: &str, name: &str) -> Result<PathBuf, ApiError> {
    let status = ApiError::Status;
    if !folders.model_folders().any(|known| known == kind) {
        return Err(status(StatusCode::NOT_FOUND));
    }
    if name.is_empty() {
        return Err(status(StatusCode::BAD_REQUEST));
    }
    let index: i64 = index.parse().map_err(|_| status(StatusCode::BAD_REQUEST))?;
    let directories = directories(folders, kind);
    let directory = usize::try_from(index)
        .ok()
        .and_then(|index| directories.get(index))
        .ok_or(status(StatusCode::NOT_FOUND))?;
    let inside = |name: &FilePath| contained(directory, name);
    let model = inside(FilePath::new(name)).map_err(|_| status(StatusCode::FORBIDDEN))?;
    let candidates = [model.with_extension(""), model.with_extension("preview")];
    candidates
        .iter()
        .flat_map(|stem| {
            PREVIEW_EXTENSIONS.map(|extension| {
                let mut picture = stem.clone().into_os_string();
                picture.push(".");
                picture.push(extension);
                PathBuf::from(picture)
            })
        })
        .find(|picture| picture.is_file() && inside(picture).is_ok())
        .ok_or(status(StatusCode::NOT_FOUND))
}
