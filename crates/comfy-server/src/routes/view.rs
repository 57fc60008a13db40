//! `GET /view`: a file of the input, output or temp directory.

pub(crate) mod picture;

use std::path::{Path, PathBuf};

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use comfy_api::document::{FileBytes, FileNameHeader};
use comfy_api::view::ViewQuery;
use comfy_nodes::folders::{AnnotatedName, DirectoryKind, Folders};

use super::{on_thread, sent_file};
use crate::error::{ApiError, ApiResult};
use crate::query::Query;
use crate::reply;
use crate::state::AppState;
pub(super) use picture::Conversion;
use picture::PictureError;

/// Read a picture.
///
/// Without `preview` and `channel` the file is sent as it is; then `ETag`, `Last-Modified`, conditional requests and byte ranges work.
#[utoipa::path(
    get, path = "/view", operation_id = "view_image", tag = "ui",
    params(ViewQuery),
    responses(
        (status = 200, description = "The file.",
            content(
                (FileBytes = "image/png"),
                (FileBytes = "image/jpeg"),
                (FileBytes = "image/webp"),
                (FileBytes = "application/octet-stream"),
            ),
            headers(("Content-Disposition" = FileNameHeader, description = "The name of the file: `filename=\"…\"`.")),
        ),
        (status = 206, description = "The part of the file that was asked for."),
        (status = 304, description = "The client's copy is current."),
        (status = 400, description = "The name is empty or leads out of its directory, the directory is unknown, or the file is no picture that can be converted."),
        (status = 403, description = "The subfolder leads out of its directory."),
        (status = 404, description = "There is no such file."),
        (status = 412, description = "The file has changed since the time or version that the request names."),
        (status = 416, description = "The file has no such part."),
    ),
)]
pub(super) async fn view_image(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(query): Query<ViewQuery>,
) -> ApiResult {
    let conversion = Conversion::requested(query.preview.as_deref(), query.channel.as_deref());
    let folders = state.folders().clone();
    let found = on_thread(move || Found::look_up(&folders, &query)).await??;
    let mut response = match conversion {
        None => sent_file::send(&found.path, &found.name, &headers).await?,
        Some(conversion) => convert(&state, found.path, conversion).await?,
    };
    response
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, disposition(&found.name));
    Ok(response)
}

/// A file that may be sent.
#[derive(Debug)]
struct Found {
    path: PathBuf,
    name: String,
}

impl Found {
    fn look_up(folders: &Folders, query: &ViewQuery) -> Result<Self, ApiError> {
        let status = |status| ApiError::Status(status);
        let asked = query
            .filename
            .as_deref()
            .ok_or(status(StatusCode::NOT_FOUND))?;
        let annotated = AnnotatedName::parse(asked);
        let name = annotated.name;
        if name.is_empty() || name.starts_with('/') || name.contains("..") {
            return Err(status(StatusCode::BAD_REQUEST));
        }
        let kind = match annotated.kind {
            Some(kind) => kind,
            None => query
                .r#type
                .as_deref()
                .map_or(Ok(DirectoryKind::Output), str::parse)
                .map_err(|()| status(StatusCode::BAD_REQUEST))?,
        };
        let subfolder = query.subfolder.as_deref().unwrap_or_default();
        let name = name.rsplit('/').next().unwrap_or(name);
        let path = folders
            .resolve(kind.as_str(), subfolder, name)
            .map_err(|error| {
                tracing::debug!(%error, "a file was refused");
                status(StatusCode::FORBIDDEN)
            })?;
        if !path.is_file() {
            return Err(status(StatusCode::NOT_FOUND));
        }
        Ok(Self {
            path,
            name: name.to_owned(),
        })
    }
}

/// The picture in another form.
pub(super) async fn convert(state: &AppState, path: PathBuf, conversion: Conversion) -> ApiResult {
    // A decoded picture is large; only a few may exist at a time.
    let permit = state
        .decoders()
        .clone()
        .acquire_owned()
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let encoded = on_thread(move || {
        let result = picture::convert(&path, conversion);
        drop(permit);
        result
    })
    .await?
    .map_err(|error| ApiError::BadRequest(error.to_string()))?;
    Ok(reply::typed(
        StatusCode::OK,
        HeaderValue::from_static(encoded.media_type),
        encoded.bytes,
    ))
}

/// A picture file as PNG. Blocks.
pub(super) fn as_png(path: &Path) -> Result<Vec<u8>, PictureError> {
    Ok(picture::png(&picture::decode(path)?)?.bytes)
}

/// The header that names the file. It has neither `inline` nor `attachment`; some clients compare the whole of it.
pub(super) fn disposition(name: &str) -> HeaderValue {
    let quoted: String = name
        .chars()
        .filter(|character| !character.is_control())
        .flat_map(|character| {
            matches!(character, '"' | '\\')
                .then_some('\\')
                .into_iter()
                .chain([character])
        })
        .collect();
    HeaderValue::from_bytes(format!("filename=\"{quoted}\"").as_bytes())
        .unwrap_or(HeaderValue::from_static("filename=\"file\""))
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn names_are_quoted() {
        assert_eq!(disposition("a b.png"), "filename=\"a b.png\"");
        assert_eq!(disposition("a\"b\\.png"), "filename=\"a\\\"b\\\\.png\"");
        assert_eq!(
            disposition("猫\n.png").as_bytes(),
            "filename=\"猫.png\"".as_bytes()
        );
    }
}
