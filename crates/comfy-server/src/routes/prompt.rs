//! `GET /prompt` and `POST /prompt`.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use comfy_api::error::{ErrorDetail, PromptRefused};
use comfy_api::prompt::{PromptAccepted, PromptRequest};
use comfy_api::queue::QueueStatus;
use comfy_exec::Submission;
use serde_json::{Map, Number, Value as Json};

use super::on_thread;
use crate::body::{self, is_truthy};
use crate::error::{ApiError, ApiResult};
use crate::negotiate::preferred;
use crate::reply;
use crate::state::AppState;
use crate::workflow::Converted;

/// How many prompts run and wait.
#[utoipa::path(
    get, path = "/prompt", operation_id = "get_prompt", tag = "ui",
    responses((status = 200, description = "The length of the queue.", body = QueueStatus)),
)]
pub(super) async fn get_prompt(State(state): State<AppState>) -> ApiResult {
    Ok(reply::json(
        StatusCode::OK,
        &QueueStatus::new(state.engine().queue_remaining()),
    ))
}

/// Queue a prompt.
///
/// The body is read as JSON whatever its content type says. Instead of `prompt` it may hold a saved `workflow` of the browser front
/// end, which the server turns into a prompt; nodes it does not know are named in the refusal. The answer comes at once; the progress is sent over `/ws` to the
/// client named by `client_id`, and the result is found with `GET /history/{prompt_id}`.
#[utoipa::path(
    post, path = "/prompt", operation_id = "post_prompt", tag = "ui",
    request_body = PromptRequest,
    responses(
        (status = 200, description = "The prompt was queued.", content(
            (PromptAccepted = "application/json", example = json!({"prompt_id": "some-value", "number": 0, "node_errors": {}})),
            (String = "text/plain", example = "some-value"),
        )),
        (status = 400, description = "The prompt is invalid; the answer says why.", content(
            (PromptRefused = "application/json"),
            (String = "text/plain"),
        )),
        (status = 413, description = "The body is larger than `--max-upload-size`.", body = String, content_type = "text/plain"),
        (status = 429, description = "The queue is full.", body = String, content_type = "text/plain"),
        (status = 503, description = "The server is shutting down.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn post_prompt(
    State(state): State<AppState>,
    headers: HeaderMap,
    request: Request,
) -> ApiResult {
    let wants_text = preferred(&headers, &["application/json", "text/plain"]) == Some("text/plain");
    match submit(&state, request).await {
        Ok(accepted) if wants_text => Ok(reply::text(StatusCode::OK, accepted.prompt_id)),
        Ok(accepted) => Ok(reply::json(StatusCode::OK, &accepted)),
        Err(error) if wants_text => Ok(in_words(error)),
        Err(error) => Err(error),
    }
}

/// A refusal as text, for clients that want it so.
fn in_words(error: ApiError) -> Response {
    match error.detail() {
        Some(ErrorDetail {
            message, details, ..
        }) if details.is_empty() => reply::text(StatusCode::BAD_REQUEST, message),
        Some(ErrorDetail {
            message, details, ..
        }) => reply::text(StatusCode::BAD_REQUEST, format!("{message}: {details}")),
        None => error.into_response(),
    }
}

async fn submit(state: &AppState, request: Request) -> Result<PromptAccepted, ApiError> {
    let head_start = head_start(request.headers());
    let body = body::json(request).await?;
    let state = state.clone();
    // Checking a giant prompt takes time.
    on_thread(move || {
        let mut submission = submission(&state, body)?;
        if submission.client_id.is_some() {
            submission.head_start = head_start;
        }
        let submitted = state.engine().submit(submission)?;
        Ok(PromptAccepted {
            prompt_id: submitted.prompt_id,
            number: submitted.number,
            node_errors: submitted.node_errors,
        })
    })
    .await?
}

/// Reads the body as ComfyUI does: flags may be anything that Python takes for true, and a number may be text.
fn submission(state: &AppState, body: Json) -> Result<Submission, ApiError> {
    let members = match body {
        Json::Object(members) => members,
        // These have no member `prompt`, but Python can ask them for one.
        Json::Array(_) | Json::String(_) => Map::new(),
        other => {
            return Err(ApiError::BadRequest(format!(
                "expected a JSON object, got {other}"
            )));
        }
    };
    let number = members.get("number").map(as_float).transpose()?;
    let front = members.get("front").is_some_and(is_truthy);
    let submission = described(state, members, number.clone(), front);
    if submission.is_err() {
        // A request that gets this far is counted, whatever becomes of it.
        state.engine().take_number(number.as_ref(), front);
    }
    submission
}

fn described(
    state: &AppState,
    mut members: Map<String, Json>,
    number: Option<Number>,
    front: bool,
) -> Result<Submission, ApiError> {
    let mut converted = match (members.remove("prompt"), members.remove("workflow")) {
        (Some(prompt), _) => Converted::from_either(state, prompt)?,
        (None, Some(workflow)) => Converted::from_workflow(state, workflow)?,
        (None, None) => {
            let text = "No prompt provided";
            return Err(ApiError::refused(ErrorDetail::new("no_prompt", text, text)));
        }
    };
    let mut extra_data = match members.remove("extra_data") {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(members)) => members,
        Some(other) => {
            return Err(ApiError::BadRequest(format!(
                "expected an object as `extra_data`, got {other}"
            )));
        }
    };
    converted.describe(&mut extra_data);
    let prompt = converted.prompt;
    Ok(Submission {
        targets: targets(members.get("partial_execution_targets"), &prompt)?,
        prompt,
        prompt_id: members.remove("prompt_id").and_then(as_text),
        number,
        front,
        client_id: members.remove("client_id").and_then(as_text),
        extra_data,
        head_start: Duration::ZERO,
    })
}

/// How long a prompt waits for its client to read the answer with its id.
///
/// A prompt of which everything is cached is over within a millisecond. In JavaScript, and with Python's aiohttp, an answer is read over
/// several turns of the event loop, and libraries that only then begin to listen for the prompt would wait for its end for ever. Whoever
/// uses such a program does not notice the time; others need none.
fn head_start(headers: &HeaderMap) -> Duration {
    const LOOPS: [&str; 6] = ["node", "undici", "Bun/", "Deno/", "Mozilla/", "Python/"];
    let agent = headers
        .get(USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    match agent {
        Some(agent) if LOOPS.iter().any(|name| agent.starts_with(name)) => Duration::from_millis(3),
        _ => Duration::ZERO,
    }
}

/// The output nodes to run: those whose ids Python finds "in" the value.
fn targets(value: Option<&Json>, prompt: &Json) -> Result<Option<Vec<String>>, ApiError> {
    match value {
        None | Some(Json::Null) => Ok(None),
        // Ids are texts; anything else in the list matches no node.
        Some(Json::Array(ids)) => Ok(Some(
            ids.iter()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
        )),
        Some(Json::Object(members)) => Ok(Some(members.keys().cloned().collect())),
        Some(Json::String(text)) => {
            let ids = prompt.as_object().into_iter().flat_map(Map::keys);
            Ok(Some(
                ids.filter(|id| text.contains(id.as_str()))
                    .cloned()
                    .collect(),
            ))
        }
        Some(other) => Err(ApiError::BadRequest(format!(
            "expected a list of node ids as `partial_execution_targets`, got {other}"
        ))),
    }
}

/// A number of the queue: whatever Python's `float()` takes.
fn as_float(value: &Json) -> Result<Number, ApiError> {
    let float = match value {
        Json::Number(number) => number.as_f64(),
        Json::Bool(value) => Some(f64::from(u8::from(*value))),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    float.and_then(Number::from_f64).ok_or_else(|| {
        ApiError::BadRequest(format!("expected a finite number as `number`, got {value}"))
    })
}

/// An id as text. Null counts as absent.
fn as_text(value: Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_what_python_makes_a_float_of() {
        let read = |value: Json| as_float(&value).ok().map(|number| number.to_string());
        assert_eq!(read(json!(3)).as_deref(), Some("3.0"));
        assert_eq!(read(json!(" -1.5 ")).as_deref(), Some("-1.5"));
        assert_eq!(read(json!(true)).as_deref(), Some("1.0"));
        for bad in [json!("abc"), json!(null), json!([1]), json!("inf")] {
            assert_eq!(read(bad.clone()), None, "{bad}");
        }
    }

    #[test]
    fn ids_become_text() {
        assert_eq!(as_text(json!("x")).as_deref(), Some("x"));
        assert_eq!(as_text(json!(12)).as_deref(), Some("12"));
        assert_eq!(as_text(json!(null)), None);
    }

    #[test]
    fn targets_are_found_as_python_finds_them() {
        let prompt = json!({"1": {}, "zz": {}, "9": {}});
        let found = |value: Json| targets(Some(&value), &prompt).ok();
        assert_eq!(targets(None, &prompt).expect("absent"), None);
        assert_eq!(found(json!(null)), Some(None));
        assert_eq!(found(json!(["1", 2])), Some(Some(vec!["1".to_owned()])));
        assert_eq!(found(json!("z")), Some(Some(vec![])));
        assert_eq!(
            found(json!("zz9")),
            Some(Some(vec!["zz".to_owned(), "9".to_owned()]))
        );
        assert_eq!(found(json!({"9": 0})), Some(Some(vec!["9".to_owned()])));
        assert_eq!(found(json!(5)), None);
    }
}
