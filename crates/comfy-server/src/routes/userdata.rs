//! `/userdata` and `/v2/userdata`: the files of a user.

use std::path::PathBuf;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use comfy_api::users::{ListedFile, UserEntry};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use utoipa::IntoParams;

use super::users::sender;
use super::{on_thread, sent_file};
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::query::Query;
use crate::reply;
use crate::state::AppState;
use crate::users::User;
use crate::users::files::{self, WriteError};
use crate::walk::relative;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// The folder below the user's.
    dir: Option<String>,
    /// `true` to look into folders as well.
    recurse: Option<String>,
    /// `true` for sizes and times.
    full_info: Option<String>,
    /// `true` for paths followed by their parts.
    split: Option<String>,
}

/// The files in a folder of the user.
#[utoipa::path(
    get, path = "/userdata", operation_id = "get_userdata", tag = "ui",
    params(ListQuery),
    responses(
        (status = 200, description = "The files.", body = Vec<ListedFile>),
        (status = 400, description = "No folder is named.", body = String, content_type = "text/plain"),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
        (status = 403, description = "The folder is outside of the user's.", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such folder.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn get_userdata(
    State(state): State<AppState>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> ApiResult {
    on_thread(move || {
        let user = sender(&state, &headers)?;
        let named = query.dir.as_deref().unwrap_or_default();
        if named.is_empty() {
            return said(StatusCode::BAD_REQUEST, "Directory not provided");
        }
        let Some(folder) = user.resolve(&unquoted(named)) else {
            return said(StatusCode::FORBIDDEN, "Invalid directory");
        };
        if !folder.exists() {
            return said(StatusCode::NOT_FOUND, "Directory not found");
        }
        let found = if folder.is_dir() {
            files::list(&folder, is_true(query.recurse.as_ref())).map_err(ApiError::Storage)?
        } else {
            Vec::new()
        };
        let shown = |path: PathBuf| {
            let name = relative(&path, &folder);
            if is_true(query.full_info.as_ref()) {
                files::info(&path, &folder).ok().map(ListedFile::Info)
            } else if is_true(query.split.as_ref()) {
                let parts = name.split('/').map(str::to_owned);
                Some(ListedFile::Parts(
                    std::iter::once(name.clone()).chain(parts).collect(),
                ))
            } else {
                Some(ListedFile::Path(name))
            }
        };
        let listed: Vec<ListedFile> = found.into_iter().filter_map(shown).collect();
        Ok(reply::json(StatusCode::OK, &listed))
    })
    .await?
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EntriesQuery {
    /// The folder below the user's; all of it when left out.
    path: Option<String>,
}

/// Everything below a folder of the user.
#[utoipa::path(
    get, path = "/v2/userdata", operation_id = "get_userdata_entries", tag = "ui",
    params(EntriesQuery),
    responses(
        (status = 200, description = "Folders first, then files, by name.", body = Vec<UserEntry>),
        (status = 400, description = "The path leads outside, is not UTF-8, or is no folder.", body = String, content_type = "text/plain"),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such folder.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn get_userdata_entries(
    State(state): State<AppState>,
    Query(query): Query<EntriesQuery>,
    headers: HeaderMap,
) -> ApiResult {
    on_thread(move || {
        let user = sender(&state, &headers)?;
        let quoted = query.path.unwrap_or_default();
        let Ok(named) = percent_decode_str(&quoted).decode_utf8() else {
            return said(
                StatusCode::BAD_REQUEST,
                "Invalid characters in path parameter",
            );
        };
        let Some(folder) = user.resolve(&named) else {
            return said(StatusCode::BAD_REQUEST, "Invalid path requested");
        };
        if !folder.exists() {
            if named.is_empty() {
                return Ok(reply::json(StatusCode::OK, &Vec::<UserEntry>::new()));
            }
            return said(StatusCode::NOT_FOUND, "Requested path not found");
        }
        if !folder.is_dir() {
            return said(StatusCode::BAD_REQUEST, "Requested path is not a directory");
        }
        let entries = user.entries(&folder).map_err(ApiError::Storage)?;
        Ok(reply::json(StatusCode::OK, &entries))
    })
    .await?
}

/// A file of the user.
#[utoipa::path(
    get, path = "/userdata/{file}", operation_id = "get_userdata_file", tag = "ui",
    params(("file" = String, Path, description = "Its path below the user's folder; slashes are written %2F.")),
    responses(
        (status = 200, description = "The file.", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
        (status = 403, description = "The path leads outside of the user's folder."),
        (status = 404, description = "There is no such file."),
    ),
)]
pub(super) async fn get_userdata_file(
    State(state): State<AppState>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> ApiResult {
    let (path, is_style) = {
        let headers = headers.clone();
        on_thread(move || {
            let user = sender(&state, &headers)?;
            let path = inside(&user, &file)?;
            if !path.is_file() {
                return Err(ApiError::Status(StatusCode::NOT_FOUND));
            }
            let is_style = user.name_of(&path) == "user.css";
            Ok((path, is_style))
        })
        .await??
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut response = sent_file::send(&path, &name, &headers).await?;
    // The style sheet that the front end asks for is the one file that may act as a part of this site.
    if is_style {
        let style = HeaderValue::from_static("text/css");
        response.headers_mut().insert(header::CONTENT_TYPE, style);
    }
    Ok(response)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WriteQuery {
    /// `false` to leave a file that exists as it is.
    overwrite: Option<String>,
    /// `true` for size and times in the answer.
    full_info: Option<String>,
}

impl WriteQuery {
    fn overwrites(&self) -> bool {
        self.overwrite.as_deref() != Some("false")
    }

    /// What is said of a file that was written.
    fn answer(&self, user: &User, path: &std::path::Path) -> ApiResult {
        let is_full = is_true(self.full_info.as_ref());
        let written = if is_full {
            ListedFile::Info(user.info(path).map_err(ApiError::Storage)?)
        } else {
            ListedFile::Path(user.name_of(path))
        };
        Ok(reply::json(StatusCode::OK, &written))
    }
}

/// Write a file of the user.
#[utoipa::path(
    post, path = "/userdata/{file}", operation_id = "post_userdata_file", tag = "ui",
    params(
        ("file" = String, Path, description = "Its path below the user's folder; slashes are written %2F."),
        WriteQuery,
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "Its path, or more if that was asked for.", body = ListedFile),
        (status = 400, description = "The name cannot be used.", body = String, content_type = "text/plain"),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
        (status = 403, description = "The path leads outside of the user's folder."),
        (status = 409, description = "The file exists and is not to be replaced.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn post_userdata_file(
    State(state): State<AppState>,
    Path(file): Path<String>,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult {
    let content = body::bytes(request).await?;
    on_thread(move || {
        let user = sender(&state, &headers)?;
        let path = inside(&user, &file)?;
        files::write(&path, &content, query.overwrites()).map_err(refused)?;
        query.answer(&user, &path)
    })
    .await?
}

/// Delete a file of the user.
#[utoipa::path(
    delete, path = "/userdata/{file}", operation_id = "delete_userdata_file", tag = "ui",
    params(("file" = String, Path, description = "Its path below the user's folder; slashes are written %2F.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
        (status = 403, description = "The path leads outside of the user's folder."),
        (status = 404, description = "There is no such file."),
    ),
)]
pub(super) async fn delete_userdata_file(
    State(state): State<AppState>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> ApiResult {
    on_thread(move || {
        let user = sender(&state, &headers)?;
        let path = inside(&user, &file)?;
        if !path.is_file() {
            return Err(ApiError::Status(StatusCode::NOT_FOUND));
        }
        std::fs::remove_file(&path).map_err(ApiError::Storage)?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    })
    .await?
}

/// Move a file of the user.
#[utoipa::path(
    post, path = "/userdata/{file}/move/{dest}", operation_id = "move_userdata_file", tag = "ui",
    params(
        ("file" = String, Path, description = "Its path below the user's folder; slashes are written %2F."),
        ("dest" = String, Path, description = "Its new path."),
        WriteQuery,
    ),
    responses(
        (status = 200, description = "Its new path, or more if that was asked for.", body = ListedFile),
        (status = 400, description = "The name cannot be used.", body = String, content_type = "text/plain"),
        (status = 401, description = "The header `comfy-user` names nobody.", body = String, content_type = "text/plain"),
        (status = 403, description = "A path leads outside of the user's folder."),
        (status = 404, description = "There is no such file."),
        (status = 409, description = "The new path is taken and is not to be replaced.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn move_userdata_file(
    State(state): State<AppState>,
    Path((file, destination)): Path<(String, String)>,
    Query(query): Query<WriteQuery>,
    headers: HeaderMap,
) -> ApiResult {
    on_thread(move || {
        let user = sender(&state, &headers)?;
        let (from, to) = (inside(&user, &file)?, inside(&user, &destination)?);
        files::move_file(&from, &to, query.overwrites()).map_err(refused)?;
        query.answer(&user, &to)
    })
    .await?
}

/// The path of a file that a client named in one part of an address.
fn inside(user: &User, name: &str) -> Result<PathBuf, ApiError> {
    let path = user.resolve(&unquoted(name));
    path.ok_or(ApiError::Status(StatusCode::FORBIDDEN))
}

/// Names may come quoted twice: some clients quote what their library quotes again.
fn unquoted(name: &str) -> String {
    percent_decode_str(name).decode_utf8_lossy().into_owned()
}

fn is_true(flag: Option<&String>) -> bool {
    flag.is_some_and(|flag| flag.eq_ignore_ascii_case("true"))
}

fn said(status: StatusCode, text: &str) -> Result<Response, ApiError> {
    Err(ApiError::Said(status, text.to_owned()))
}

fn refused(error: WriteError) -> ApiError {
    match error {
        WriteError::Exists => {
            ApiError::Said(StatusCode::CONFLICT, "File already exists".to_owned())
        }
        WriteError::Missing => ApiError::Status(StatusCode::NOT_FOUND),
        WriteError::Io(error) => match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ApiError::Storage(error)
            }
            _ => ApiError::Said(StatusCode::BAD_REQUEST, error.to_string()),
        },
    }
}
