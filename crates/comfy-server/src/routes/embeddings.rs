//! `GET /embeddings`.

use axum::extract::State;
use axum::http::StatusCode;

use super::on_thread;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;

/// The text embeddings that prompts can name as `embedding:name`.
#[utoipa::path(
    get, path = "/embeddings", operation_id = "get_embeddings", tag = "ui",
    responses((status = 200, description = "Names of the files in the embeddings directories, without their extensions.", body = Vec<String>)),
)]
pub(super) async fn get_embeddings(State(state): State<AppState>) -> ApiResult {
    let folders = state.folders().clone();
    let files = on_thread(move || folders.list("embeddings"))
        .await?
        .map_err(|error| ApiError::Internal(error.to_string()))?;
    let names: Vec<&str> = files.iter().map(|file| without_extension(file)).collect();
    Ok(reply::json(StatusCode::OK, &names))
}

/// The path without the extension of its last part. A name that only begins with a dot has none.
fn without_extension(file: &str) -> &str {
    let name = file.rfind(['/', '\\']).map_or(0, |separator| separator + 1);
    match file[name..].rfind('.') {
        Some(dot) if dot > 0 => &file[..name + dot],
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::without_extension;

    #[test]
    fn only_the_last_extension_of_the_name_goes() {
        for (file, expected) in [
            ("a.pt", "a"),
            ("a.b.safetensors", "a.b"),
            ("sub.dir/a", "sub.dir/a"),
            ("sub/b.bin", "sub/b"),
            (".hidden", ".hidden"),
        ] {
            assert_eq!(without_extension(file), expected);
        }
    }
}
