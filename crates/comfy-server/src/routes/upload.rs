//! `POST /upload/image`.

pub(super) mod mask;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use comfy_api::upload::{UploadAnswer, UploadForm};
use comfy_nodes::folders::DirectoryKind;

use super::on_thread;
use crate::body::BodyLimit;
use crate::error::{ApiError, ApiResult};
use crate::incoming::{FIELD_LIMIT, Form, Received, text};
use crate::reply;
use crate::state::AppState;

/// Upload an image.
///
/// Never replaces a file unless `overwrite` says so: if a file of that name and another content exists, the new one gets
/// another name, which is returned. If the content is the same, nothing is written.
#[utoipa::path(
    post, path = "/upload/image", operation_id = "upload_image", tag = "ui",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The file is stored.", body = UploadAnswer),
        (status = 400, description = "The request has no image, or its name leads out of the directory."),
        (status = 413, description = "The body is larger than `--max-upload-size`.", body = String, content_type = "text/plain"),
        (status = 507, description = "The file could not be written.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn upload_image(State(state): State<AppState>, request: Request) -> ApiResult {
    let upload = Upload::receive(&state, request).await?;
    let kind = upload.directory()?;
    let Upload {
        image,
        overwrite,
        subfolder,
        ..
    } = upload;
    let image = image.ok_or(ApiError::Status(StatusCode::BAD_REQUEST))?;
    let folders = state.folders().clone();
    let folder = subfolder.clone();
    let name = on_thread(move || image.place(&folders, kind, &folder, overwrite)).await??;
    Ok(reply::json(
        StatusCode::OK,
        &UploadAnswer {
            name,
            subfolder,
            r#type: kind.as_str().to_owned(),
        },
    ))
}

/// The parts of the form.
struct Upload {
    image: Option<Received>,
    overwrite: bool,
    kind: String,
    subfolder: String,
    /// What the mask is for, as JSON.
    original: Option<String>,
}

impl Upload {
    /// The directory it is for.
    fn directory(&self) -> Result<DirectoryKind, ApiError> {
        self.kind.parse().map_err(|()| {
            ApiError::BadRequest(format!(
                "expected the type input, output or temp, got `{}`",
                self.kind
            ))
        })
    }

    async fn receive(state: &AppState, request: Request) -> Result<Self, ApiError> {
        let limit = request.extensions().get::<BodyLimit>().copied();
        let mut form = Form::open(request).await?;
        let mut upload = Self {
            image: None,
            overwrite: false,
            kind: "input".to_owned(),
            subfolder: String::new(),
            original: None,
        };
        while let Some(field) = form.next().await? {
            match field.name().unwrap_or_default() {
                "image" if upload.image.is_none() => {
                    let name = field.file_name().unwrap_or_default().to_owned();
                    if name.is_empty() {
                        return Err(ApiError::Status(StatusCode::BAD_REQUEST));
                    }
                    upload.image =
                        Some(Received::from_part(field, name, state.folders(), limit).await?);
                }
                "overwrite" => {
                    let flag = text(field, FIELD_LIMIT, limit).await?;
                    upload.overwrite = matches!(flag.as_str(), "true" | "1");
                }
                "type" => upload.kind = text(field, FIELD_LIMIT, limit).await?,
                "original_ref" => upload.original = Some(text(field, FIELD_LIMIT, limit).await?),
                "subfolder" => upload.subfolder = text(field, FIELD_LIMIT, limit).await?,
                _ => {}
            }
        }
        Ok(upload)
    }
}
