//! What the request asks for.

use std::fmt::Write;

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use comfy_nodes::folders::DirectoryKind;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use crate::body::{self, BodyLimit, parse_json};
use crate::error::ApiError;
use crate::incoming::{Form, Received, bare_name, text};
use crate::negotiate::preferred;
use crate::routes::on_thread;
use crate::state::AppState;

/// The media types of the answer.
#[derive(Debug, utoipa::ToSchema, serde::Serialize)]
#[expect(dead_code, reason = "for the document")]
enum MediaType {
    #[serde(rename = "application/json")]
    Json,
    #[serde(rename = "image/png")]
    Png,
}

/// The headers that choose the form of the answer.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "for the document; the headers are read with their quality values and lists"
)]
pub(crate) struct AnswerHeaders {
    /// The media type the client wants; lists with quality values are understood.
    #[param(rename = "Accept", inline, nullable = false)]
    accept: Option<MediaType>,
    /// `respond-async`: answer at once, with 202.
    #[param(rename = "Prefer", nullable = false)]
    prefer: Option<String>,
}

/// The query that chooses the form of the answer.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "for the document; the query is searched for one word"
)]
pub(crate) struct AnswerQuery {
    /// The same as the header `Prefer`.
    #[param(nullable = false)]
    prefer: Option<String>,
}

/// What to answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Addresses and outputs.
    Json,
    /// The last image.
    Png,
    /// The place where the result will be.
    Later,
}

/// A prompt to run.
#[derive(Debug)]
pub(super) struct PromptRequest {
    pub(super) prompt: Json,
    pub(super) answer: Answer,
}

impl PromptRequest {
    /// Reads the request and stores the files that came with it.
    pub(super) async fn receive(state: &AppState, request: Request) -> Result<Self, ApiError> {
        let media_type = media_type(request.headers());
        let answer = Answer::wanted(request.headers(), request.uri(), &media_type)?;
        let prompt = if media_type.starts_with("multipart/") {
            from_form(state, request).await?
        } else {
            body::json(request).await?
        };
        Ok(Self {
            prompt: unwrapped(prompt)?,
            answer,
        })
    }

    /// SHA-256 of the prompt in hexadecimal digits.
    pub(super) fn digest(&self) -> String {
        let text = comfy_graph::python_json::to_compact_string(&self.prompt);
        Sha256::digest(text.as_bytes())
            .iter()
            .fold(String::new(), |mut digits, byte| {
                // Writing into a text does not fail.
                let _ = write!(digits, "{byte:02x}");
                digits
            })
    }
}

impl Answer {
    fn wanted(headers: &HeaderMap, uri: &Uri, media_type: &str) -> Result<Self, ApiError> {
        let names_it = |text: &str| {
            text.split([',', ';', '&', '='])
                .any(|word| word.trim().eq_ignore_ascii_case("respond-async"))
        };
        let in_header = headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(names_it);
        let in_query = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| pair.starts_with("prefer="))
            .any(names_it);
        let in_type = media_type.ends_with("+respond-async");
        match preferred(headers, &["application/json", "image/png"]) {
            _ if in_header || in_query || in_type => Ok(Self::Later),
            Some("image/png") => Ok(Self::Png),
            Some(_) => Ok(Self::Json),
            None => Err(ApiError::BadRequest(
                "expected application/json or image/png to be acceptable".to_owned(),
            )),
        }
    }
}

/// The media type of the body, in lower case and without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// Takes the prompt out of a form and stores its files.
async fn from_form(state: &AppState, request: Request) -> Result<Json, ApiError> {
    let limit = request.extensions().get::<BodyLimit>().copied();
    let prompt_limit = usize::try_from(state.config().max_upload_size).unwrap_or(usize::MAX);
    let mut form = Form::open(request).await.map_err(|error| match error {
        ApiError::Status(_) => {
            ApiError::BadRequest("expected a multipart form with a boundary".to_owned())
        }
        other => other,
    })?;
    let mut prompt = None;
    let mut files = Vec::new();
    while let Some(field) = form.next().await? {
        if field.name() == Some("prompt") {
            prompt = Some(text(field, prompt_limit, limit).await?);
        } else if let Some(name) = field.file_name().map(str::to_owned) {
            let name = bare_name(&name).ok_or_else(|| {
                ApiError::BadRequest(format!("expected a file name, got `{name}`"))
            })?;
            files.push(Received::from_part(field, name, state.folders(), limit).await?);
        }
    }
    let prompt = prompt.ok_or_else(|| {
        ApiError::BadRequest("expected a part named prompt in the form, got none".to_owned())
    })?;
    let prompt = parse_json(prompt.as_bytes())?;
    let folders = state.folders().clone();
    on_thread(move || {
        files.into_iter().try_for_each(|file| {
            file.place(&folders, DirectoryKind::Input, "", true)
                .map(|_| ())
        })
    })
    .await??;
    Ok(prompt)
}

/// The prompt or workflow itself. Some clients wrap it as they do for `/prompt`; a node of the id `prompt` would have a class.
fn unwrapped(body: Json) -> Result<Json, ApiError> {
    let Json::Object(mut members) = body else {
        return Err(ApiError::BadRequest(format!(
            "expected a prompt as a JSON object, got {body}"
        )));
    };
    // Nor has a workflow a class: it is saved with other members.
    let is_wrapper = |name: &str| {
        let inner = members.get(name).and_then(Json::as_object);
        inner.is_some_and(|inner| !inner.contains_key("class_type"))
    };
    let prompt = match ["prompt", "workflow"]
        .into_iter()
        .find(|name| is_wrapper(name))
    {
        Some(name) => members.remove(name),
        None => Some(Json::Object(members)),
    };
    prompt
        .filter(|prompt| prompt.as_object().is_some_and(|nodes| !nodes.is_empty()))
        .ok_or_else(|| {
            ApiError::BadRequest("expected a prompt with nodes, got an empty one".to_owned())
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn wanted(pairs: &[(&'static str, &str)], uri: &str, media_type: &str) -> Option<Answer> {
        let headers = pairs
            .iter()
            .map(|(name, value)| {
                (
                    header::HeaderName::from_static(name),
                    HeaderValue::from_str(value).expect("a header"),
                )
            })
            .collect();
        Answer::wanted(&headers, &uri.parse().expect("an address"), media_type).ok()
    }

    #[test]
    fn the_client_chooses_the_answer() {
        assert_eq!(wanted(&[], "/", "application/json"), Some(Answer::Json));
        assert_eq!(
            wanted(&[("accept", "image/png")], "/", ""),
            Some(Answer::Png)
        );
        assert_eq!(
            wanted(
                &[("accept", "image/png;q=0.3, application/json;q=0.2")],
                "/",
                ""
            ),
            Some(Answer::Png)
        );
        assert_eq!(wanted(&[("accept", "text/html")], "/", ""), None);
        assert_eq!(
            wanted(&[("prefer", "respond-async, wait=5")], "/", ""),
            Some(Answer::Later)
        );
        assert_eq!(
            wanted(&[("accept", "text/html")], "/x?prefer=respond-async", ""),
            Some(Answer::Later)
        );
        assert_eq!(
            wanted(&[], "/x?other=respond-async", ""),
            Some(Answer::Json)
        );
        assert_eq!(
            wanted(&[], "/", "application/json+respond-async"),
            Some(Answer::Later)
        );
    }

    #[test]
    fn the_digest_is_that_of_pythons_compact_json() {
        let prompt: Json = comfy_graph::python_json::from_str(
            r#"{"1": {"class_type": "X", "inputs": {"t": "é", "f": 1.0}}}"#,
        )
        .expect("JSON");
        let request = PromptRequest {
            prompt,
            answer: Answer::Json,
        };
        // printf '%s' '{"1":{"class_type":"X","inputs":{"t":"\u00e9","f":1.0}}}' | sha256sum
        assert_eq!(
            request.digest(),
            "5fa5bdfce67ae03729f4ed8971fe323d593be4ea685cbf2c8d136da9aea8969e"
        );
    }

    #[test]
    fn wrapped_prompts_are_understood() {
        let node = json!({"class_type": "X", "inputs": {}});
        assert_eq!(unwrapped(json!({"1": node})).ok(), Some(json!({"1": node})));
        assert_eq!(
            unwrapped(json!({"prompt": {"1": node}})).ok(),
            Some(json!({"1": node}))
        );
        assert_eq!(
            unwrapped(json!({"prompt": node})).ok(),
            Some(json!({"prompt": node}))
        );
        for bad in [json!([]), json!("x"), json!({}), json!({"prompt": {}})] {
            assert!(unwrapped(bad.clone()).is_err(), "{bad}");
        }
    }
}
