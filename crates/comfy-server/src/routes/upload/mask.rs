//! `POST /upload/mask`: a picture with the opacity that somebody painted.

use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use comfy_api::upload::{MaskForm, OriginalPicture, UploadAnswer};
use comfy_nodes::folders::{DirectoryKind, Folders};
use comfy_nodes::pictures::{Compression, PngText, encode_png};

use super::Upload;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::routes::on_thread;
use crate::routes::view::picture;
use crate::state::AppState;

/// Upload a mask for a picture that is here.
///
/// The picture is stored anew as PNG, with its own metadata and the opacity of the uploaded picture.
#[utoipa::path(
    post, path = "/upload/mask", operation_id = "upload_mask", tag = "ui",
    request_body(content = MaskForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "The file is stored.", body = UploadAnswer),
        (status = 400, description = "A part of the form is missing or wrong, or a file is no picture. The body is an error as of `POST /prompt`, or empty when there is no picture at all."),
        (status = 403, description = "The picture's subfolder leads out of its directory."),
        (status = 404, description = "There is no such picture.", body = String, content_type = "text/plain"),
        (status = 413, description = "The body is larger than `--max-upload-size`.", body = String, content_type = "text/plain"),
        (status = 507, description = "The file could not be written.", body = String, content_type = "text/plain"),
    ),
)]
pub(in crate::routes) async fn upload_mask(
    State(state): State<AppState>,
    request: Request,
) -> ApiResult {
    let upload = Upload::receive(&state, request).await?;
    let kind = upload.directory()?;
    let Upload {
        image,
        overwrite,
        subfolder,
        original,
        ..
    } = upload;
    let mask = image.ok_or(ApiError::Status(StatusCode::BAD_REQUEST))?;
    let original = original.ok_or_else(|| {
        ApiError::BadRequest("expected the part original_ref beside the image".to_owned())
    })?;
    let original: OriginalPicture = serde_json::from_str(&original).map_err(|error| {
        ApiError::BadRequest(format!(
            "expected {{\"filename\": text}} in original_ref, got {original}: {error}"
        ))
    })?;
    // Two decoded pictures are large; only a few may exist at a time.
    let permit = state
        .decoders()
        .clone()
        .acquire_owned()
        .await
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let (folders, folder) = (state.folders().clone(), subfolder.clone());
    let name = on_thread(move || {
        let path = original_path(&folders, &original)?;
        let mut mask = mask;
        let picture = masked(&path, mask.path())?;
        drop(permit);
        mask.replace_content(&picture)?;
        mask.place(&folders, kind, &folder, overwrite)
    })
    .await??;
    Ok(reply::json(
        StatusCode::OK,
        &UploadAnswer {
            name,
            subfolder,
            r#type: kind.as_str().to_owned(),
        },
    ))
}

/// Where the picture is that the mask is for.
fn original_path(
    folders: &Folders,
    original: &OriginalPicture,
) -> Result<std::path::PathBuf, ApiError> {
    let bad = |text: String| Err(ApiError::BadRequest(text));
    let kind = original.r#type.as_deref().unwrap_or("output");
    let Ok(kind) = kind.parse::<DirectoryKind>() else {
        return bad(format!(
            "expected the type input, output or temp in original_ref, got {kind}"
        ));
    };
    let name = &original.filename;
    if name.is_empty() || name.starts_with('/') || name.contains("..") {
        return bad(format!(
            "expected a file name in original_ref, got {name:?}"
        ));
    }
    let subfolder = original.subfolder.as_deref().unwrap_or_default();
    let path = folders
        .resolve(kind.as_str(), subfolder, name)
        .map_err(|_| ApiError::Status(StatusCode::FORBIDDEN))?;
    if path.is_file() {
        Ok(path)
    } else {
        Err(ApiError::Said(
            StatusCode::NOT_FOUND,
            format!(
                "there is no picture {name} in the {} directory",
                kind.as_str()
            ),
        ))
    }
}

/// The picture as PNG, with its texts and the opacity of the mask.
fn masked(original: &Path, mask: &Path) -> Result<Vec<u8>, ApiError> {
    let decode = |path: &Path, what: &str| {
        picture::decode(path)
            .map(image::DynamicImage::into_rgba8)
            .map_err(|error| {
                ApiError::BadRequest(format!("expected {what} that can be read: {error}"))
            })
    };
    let mut pixels = decode(original, "a picture")?;
    let opacity = decode(mask, "a mask")?;
    if pixels.dimensions() != opacity.dimensions() {
        return Err(ApiError::BadRequest(format!(
            "expected a mask of the picture's size {:?}, got {:?}",
            pixels.dimensions(),
            opacity.dimensions()
        )));
    }
    for (pixel, mask) in pixels.pixels_mut().zip(opacity.pixels()) {
        pixel.0[3] = mask.0[3];
    }
    let (width, height) = pixels.dimensions();
    encode_png(
        &pixels,
        width as usize,
        height as usize,
        4,
        &texts_of(original),
        Compression::Balanced,
    )
    .map_err(|error| ApiError::Internal(error.to_string()))
}

/// The texts of a PNG; none of any other file.
fn texts_of(path: &Path) -> Vec<PngText> {
    let Ok(mut file) = std::fs::File::open(path) else {
        return Vec::new();
    };
    if file.seek(SeekFrom::Start(0)).is_err() {
        return Vec::new();
    }
    let mut decoder = png::Decoder::new(BufReader::new(file));
    decoder.set_ignore_text_chunk(false);
    let Ok(mut reader) = decoder.read_info() else {
        return Vec::new();
    };
    // Texts may stand behind the pixels too.
    let _ = reader.finish();
    let info = reader.info();
    let plain = info.uncompressed_latin1_text.iter();
    let compressed = info.compressed_latin1_text.iter();
    let international = info.utf8_text.iter();
    plain
        .map(|chunk| (chunk.keyword.clone(), chunk.text.clone()))
        .chain(compressed.filter_map(|chunk| Some((chunk.keyword.clone(), chunk.get_text().ok()?))))
        .chain(
            international.filter_map(|chunk| Some((chunk.keyword.clone(), chunk.get_text().ok()?))),
        )
        .map(|(keyword, text)| PngText { keyword, text })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    #[test]
    fn the_picture_gets_the_opacity_of_the_mask_and_keeps_its_texts() {
        let folder = tempfile::tempdir().unwrap();
        let (original, mask) = (folder.path().join("o.png"), folder.path().join("m.png"));
        let text = PngText {
            keyword: "prompt".to_owned(),
            text: "{\"1\": {}}".to_owned(),
        };
        let pixels = [10, 20, 30, 40, 50, 60];
        let texts = std::slice::from_ref(&text);
        let file = encode_png(&pixels, 2, 1, 3, texts, Compression::Fast).unwrap();
        std::fs::write(&original, file).unwrap();
        RgbaImage::from_fn(2, 1, |x, _| Rgba([9, 9, 9, 100 * x as u8]))
            .save(&mask)
            .unwrap();
        let result = folder.path().join("r.png");
        std::fs::write(&result, masked(&original, &mask).unwrap()).unwrap();
        let picture = image::open(&result).unwrap().into_rgba8();
        assert_eq!(picture.into_raw(), [10, 20, 30, 0, 40, 50, 60, 100]);
        assert_eq!(texts_of(&result), [text]);
        RgbaImage::new(3, 1).save(&mask).unwrap();
        assert!(masked(&original, &mask).is_err());
        assert!(texts_of(folder.path()).is_empty());
    }
}
