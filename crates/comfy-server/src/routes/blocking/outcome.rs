//! What became of a prompt, as an answer.

use std::io;
use std::sync::Arc;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use comfy_api::blocking::{GeneratedOutputs, RunFailure};
use comfy_api::history::{HistoryEntry, Outputs, StatusText};
use comfy_nodes::folders::Folders;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

use super::request::Answer;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::routes::on_thread;
use crate::routes::view;
use crate::state::AppState;

const DIGEST: HeaderName = HeaderName::from_static("digest");
/// Characters that Python's `urlencode` escapes.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// An image that a node showed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    node: String,
    filename: String,
    subfolder: String,
    kind: String,
}

impl Shown {
    fn from_json(node: &str, file: &Json) -> Option<Self> {
        let text = |name| file.get(name).and_then(Json::as_str).map(str::to_owned);
        Some(Self {
            node: node.to_owned(),
            filename: text("filename")?,
            subfolder: text("subfolder").unwrap_or_default(),
            kind: text("type").unwrap_or_else(|| "output".to_owned()),
        })
    }

    /// The query of `/view` that reads it.
    fn query(&self) -> String {
        let escaped = |text| {
            utf8_percent_encode(text, QUERY)
                .to_string()
                .replace("%20", "+")
        };
        let subfolder = if self.subfolder.is_empty() {
            String::new()
        } else {
            format!("&subfolder={}", escaped(&self.subfolder))
        };
        format!(
            "filename={}{subfolder}&type={}",
            escaped(&self.filename),
            escaped(&self.kind)
        )
    }
}

/// The images of a prompt in the order of its outputs.
fn images(entry: &HistoryEntry) -> Vec<Shown> {
    let lists = entry
        .outputs
        .iter()
        .filter_map(|(node, output)| Some((node, output.get("images")?.as_array()?)));
    lists
        .flat_map(|(node, files)| files.iter().filter_map(|file| Shown::from_json(node, file)))
        .collect()
}

/// The last image that was saved, by the order of nodes in the prompt; if none was saved, the last one shown.
fn last_image<'a>(entry: &HistoryEntry, images: &'a [Shown]) -> Option<&'a Shown> {
    let place = |shown: &Shown| {
        entry
            .prompt
            .prompt
            .as_object()?
            .keys()
            .position(|id| *id == shown.node)
    };
    images
        .iter()
        .enumerate()
        .max_by_key(|(index, shown)| (shown.kind == "output", place(shown), *index))
        .map(|(_, shown)| shown)
}

/// What the nodes showed; every file with its path on the server.
pub(super) fn outputs(entry: &HistoryEntry, folders: &Folders) -> Outputs {
    let mut outputs = Outputs(entry.outputs.clone());
    for (node, output) in &mut outputs.0 {
        let lists = output
            .as_object_mut()
            .into_iter()
            .flat_map(|members| members.values_mut())
            .filter_map(Json::as_array_mut);
        for file in lists.flatten() {
            let path = Shown::from_json(node, file).and_then(|shown| {
                folders
                    .resolve(&shown.kind, &shown.subfolder, &shown.filename)
                    .ok()
            });
            if let (Some(path), Some(members)) = (path, file.as_object_mut()) {
                members.insert("abs_path".to_owned(), Json::from(path.to_string_lossy()));
            }
        }
    }
    outputs
}

/// The answer if the prompt failed or was interrupted.
pub(super) fn failure(entry: &HistoryEntry) -> Option<Response> {
    let status = &entry.status;
    (status.status_str == StatusText::Error || !status.completed).then(|| {
        let failure = RunFailure {
            status_str: status.status_str,
            completed: status.completed,
            messages: status.messages.clone(),
        };
        reply::json(StatusCode::INTERNAL_SERVER_ERROR, &failure)
    })
}

/// The answer if somebody took the prompt out of the queue.
pub(super) fn removed() -> Response {
    let failure = RunFailure {
        status_str: StatusText::Error,
        completed: false,
        messages: Vec::new(),
    };
    reply::json(StatusCode::INTERNAL_SERVER_ERROR, &failure)
}

/// The answer of the request that waited.
pub(super) async fn answer(
    state: &AppState,
    entry: Arc<HistoryEntry>,
    answer: Answer,
    digest: &str,
) -> ApiResult {
    if let Some(failure) = failure(&entry) {
        return Ok(failure);
    }
    let images = images(&entry);
    let Some(last) = last_image(&entry, &images) else {
        return Ok(reply::empty(StatusCode::NO_CONTENT));
    };
    let mut response = match answer {
        Answer::Png => reply::typed(
            StatusCode::OK,
            HeaderValue::from_static("image/png"),
            png(state, last.clone()).await?,
        ),
        Answer::Json | Answer::Later => {
            let addresses = [state.own_url(), state.external_url()];
            let urls = images
                .iter()
                .map(Shown::query)
                .flat_map(|query| {
                    addresses
                        .iter()
                        .map(move |address| format!("{address}/view?{query}"))
                        .collect::<Vec<_>>()
                })
                .collect();
            let state = state.clone();
            let outputs = on_thread(move || outputs(&entry, state.folders())).await?;
            reply::json(StatusCode::OK, &GeneratedOutputs { urls, outputs })
        }
    };
    let headers = response.headers_mut();
    if let Ok(digest) = HeaderValue::from_str(&format!("SHA256={digest}")) {
        headers.insert(DIGEST, digest);
    }
    if let [only] = images.as_slice() {
        headers.insert(
            header::CONTENT_DISPOSITION,
            view::disposition(&only.filename),
        );
    }
    Ok(response)
}

/// The image as a PNG file, converted if it was saved as something else.
async fn png(state: &AppState, shown: Shown) -> Result<Vec<u8>, ApiError> {
    let folders = state.folders().clone();
    on_thread(move || {
        let path = folders
            .resolve(&shown.kind, &shown.subfolder, &shown.filename)
            .map_err(|error| ApiError::Internal(format!("the image cannot be read: {error}")))?;
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                ApiError::Internal(format!("the image {} is gone", shown.filename))
            }
            _ => ApiError::Storage(error),
        })?;
        if bytes.starts_with(PNG_SIGNATURE) {
            return Ok(bytes);
        }
        view::as_png(&path)
            .map_err(|error| ApiError::Internal(format!("the image cannot be converted: {error}")))
    })
    .await?
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry() -> HistoryEntry {
        let file =
            |name: &str, kind: &str| json!({"filename": name, "subfolder": "a b", "type": kind});
        serde_json::from_value(json!({
            "prompt": [0, "p", {"1": {}, "9": {}, "3": {}, "4": {}}, {}, ["9", "3"]],
            "outputs": {
                "3": {"images": [file("c_1_.png", "output"), file("c_2_.png", "output")]},
                "4": {"images": [file("t_1_.png", "temp")]},
                "9": {"images": [file("s_1_.png", "output")], "text": ["hello"]},
            },
            "status": {"status_str": "success", "completed": true, "messages": []},
            "meta": {},
        }))
        .unwrap()
    }

    #[test]
    fn the_last_saved_image_of_the_prompt_is_meant() {
        let entry = entry();
        let images = images(&entry);
        assert_eq!(
            images
                .iter()
                .map(|shown| shown.filename.as_str())
                .collect::<Vec<_>>(),
            ["c_1_.png", "c_2_.png", "t_1_.png", "s_1_.png"]
        );
        assert_eq!(last_image(&entry, &images).unwrap().filename, "c_2_.png");
        assert_eq!(
            last_image(&entry, &images[2..3]).unwrap().filename,
            "t_1_.png"
        );
        assert_eq!(last_image(&entry, &[]), None);
    }

    #[test]
    fn addresses_are_escaped_as_python_does() {
        let shown = Shown {
            node: "1".into(),
            filename: "a b&c_é.png".into(),
            subfolder: String::new(),
            kind: "output".into(),
        };
        assert_eq!(shown.query(), "filename=a+b%26c_%C3%A9.png&type=output");
        let shown = Shown {
            subfolder: "x/y".into(),
            ..shown
        };
        assert_eq!(
            shown.query(),
            "filename=a+b%26c_%C3%A9.png&subfolder=x%2Fy&type=output"
        );
    }

    #[test]
    fn files_get_their_paths() {
        let directory = tempfile::tempdir().unwrap();
        let options = comfy_nodes::folders::FoldersOptions {
            base: directory.path().to_owned(),
            ..Default::default()
        };
        let folders = Folders::new(options).unwrap();
        let outputs = outputs(&entry(), &folders);
        let path = outputs.0["4"]["images"][0]["abs_path"].as_str().unwrap();
        assert!(path.ends_with("temp/a b/t_1_.png"), "{path}");
        assert_eq!(outputs.0["9"]["text"], json!(["hello"]));
    }
}
