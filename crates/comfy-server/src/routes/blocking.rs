//! `/api/v1/prompts`: run a prompt and wait for its result in one request.

mod outcome;
mod request;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use comfy_api::blocking::{
    AcceptedPrompt, GeneratedOutputs, PromptDocument, PromptForm, RunFailure,
};
use comfy_api::document::{FileBytes, FileNameHeader};
use comfy_api::error::ErrorDetail;
use comfy_api::history::Outputs;
use comfy_exec::{Engine, PromptState, Submission};

use super::on_thread;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;
use crate::workflow::Converted;
use request::{Answer, AnswerHeaders, AnswerQuery, PromptRequest};

/// Seconds after which a client that did not wait may ask again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("60");

/// Get the last prompt.
///
/// The prompt that ended last, whether it came over `/prompt` or this interface. It can be posted again.
#[utoipa::path(
    get, path = "/api/v1/prompts", operation_id = "get_last_prompt", tag = "api",
    responses(
        (status = 200, description = "The last prompt.", body = PromptDocument),
        (status = 404, description = "No prompt has ended yet."),
    ),
)]
pub(super) async fn get_last_prompt(State(state): State<AppState>) -> ApiResult {
    let history = state.engine().history(Some(1), None);
    let (_, entry) = history
        .0
        .last()
        .ok_or(ApiError::Status(StatusCode::NOT_FOUND))?;
    Ok(reply::json(StatusCode::OK, &*entry.prompt.prompt))
}

/// Get the outputs of a prompt.
#[utoipa::path(
    get, path = "/api/v1/prompts/{prompt_id}", operation_id = "get_outputs_of_prompt", tag = "api",
    params(("prompt_id" = String, Path, description = "The identifier of the prompt.")),
    responses(
        (status = 200, description = "The prompt has run; what its nodes showed.", body = Outputs),
        (status = 204, description = "The prompt waits or runs."),
        (status = 404, description = "There is no such prompt."),
        (status = 500, description = "The prompt has failed or was interrupted.", body = RunFailure),
    ),
)]
pub(super) async fn get_outputs(
    State(state): State<AppState>,
    Path(prompt_id): Path<String>,
) -> ApiResult {
    match state.engine().state_of(&prompt_id) {
        PromptState::Unknown => Err(ApiError::Status(StatusCode::NOT_FOUND)),
        PromptState::Pending | PromptState::Running => Ok(reply::empty(StatusCode::NO_CONTENT)),
        PromptState::Finished => {
            let entry = state
                .engine()
                .history_entry(&prompt_id)
                .ok_or(ApiError::Status(StatusCode::NOT_FOUND))?;
            on_thread(move || match outcome::failure(&entry) {
                Some(failure) => failure,
                None => reply::json(StatusCode::OK, &outcome::outputs(&entry, state.folders())),
            })
            .await
        }
    }
}

/// Generate images: run a prompt and wait for its end.
///
/// The answer takes as long as the prompt, loading of models included. What comes back is chosen by `Accept`: `application/json`
/// (the default) gives addresses of all images and the outputs of all nodes, `image/png` the last image itself. If several
/// nodes save images, that is the last such node of the prompt; leave the others out to get a certain one.
///
/// Instead of a prompt, a saved workflow of the browser front end may be sent, alone or as the member `workflow`.
///
/// Files of a multipart form are stored in the input directory before the prompt is checked, so the prompt can name them.
///
/// With `respond-async` (as the `Prefer` header, the query parameter `prefer`, or the media type `application/json+respond-async`)
/// the answer comes at once and names the place of the result.
///
/// A client that goes away before its prompt has begun takes it out of the queue; a prompt that is running runs on.
///
/// The `Digest` header is the SHA-256 of the prompt as compact JSON with members in the order received and other characters than ASCII escaped:
///
/// ```python
/// hashlib.sha256(json.dumps(prompt, separators=(',', ':')).encode('utf-8')).hexdigest()
/// ```
#[utoipa::path(
    post, path = "/api/v1/prompts", operation_id = "run_prompt", tag = "api",
    params(AnswerHeaders, AnswerQuery),
    request_body(content(
        (PromptDocument = "application/json"),
        (PromptForm = "multipart/form-data"),
        (PromptForm = "multipart/formdata"),
    )),
    responses(
        (status = 200, description = "The images exist.",
            headers(
                ("Digest" = String, description = "The digest of the prompt, such as `SHA256=e5187160a7b2c496773c1c5a45bfd3ffbf25eaa5969328e6469d36f31cf240a3`."),
                ("Content-Disposition" = FileNameHeader, description = "The name of the file, if there is exactly one image: `filename=\"ComfyUI_00001_.png\"`."),
            ),
            content(
                (GeneratedOutputs = "application/json"),
                (FileBytes = "image/png"),
            ),
        ),
        (status = 202, description = "The prompt is queued; only with `respond-async`.", body = AcceptedPrompt,
            headers(
                ("Location" = String, description = "Where the result will be."),
                ("Retry-After" = u32, description = "Seconds after which to look for it."),
            ),
        ),
        (status = 204, description = "The prompt ran and made no images."),
        (status = 400, description = "The request or the prompt is invalid; the answer says why.", body = ErrorDetail),
        (status = 413, description = "The body is larger than `--max-upload-size`.", body = String, content_type = "text/plain"),
        (status = 429, description = "The queue is full.", body = String, content_type = "text/plain"),
        (status = 500, description = "The prompt failed or was interrupted.", body = RunFailure),
        (status = 503, description = "The server is shutting down.", body = String, content_type = "text/plain"),
        (status = 507, description = "A file could not be read or written, for example because the disk is full.", body = String, content_type = "text/plain"),
    ),
)]
pub(super) async fn run_prompt(State(state): State<AppState>, request: Request) -> Response {
    match run(state, request).await {
        Ok(response) => response,
        // This interface sends the complaint without the wrapper of `/prompt`.
        Err(error) => match error.detail() {
            Some(detail) => reply::json(StatusCode::BAD_REQUEST, &detail),
            None => error.into_response(),
        },
    }
}

async fn run(state: AppState, request: Request) -> ApiResult {
    let limit = state.config().max_queue_size;
    if state.engine().queue_remaining() > limit {
        return Err(ApiError::QueueFull(limit));
    }
    let request = PromptRequest::receive(&state, request).await?;
    let digest = request.digest();
    let submitting = state.clone();
    let is_awaited = request.answer != Answer::Later;
    let (prompt_id, mut abandonment) = on_thread(move || {
        let mut converted = Converted::from_either(&submitting, request.prompt)?;
        let mut submission = Submission::default();
        converted.describe(&mut submission.extra_data);
        submission.prompt = converted.prompt;
        let prompt_id = submitting.engine().submit(submission)?.prompt_id;
        // Made here, because the client may go away before this result is taken.
        let abandonment = Abandonment {
            engine: submitting.engine().clone(),
            prompt_id: is_awaited.then(|| prompt_id.clone()),
        };
        Ok::<_, ApiError>((prompt_id, abandonment))
    })
    .await??;
    if !is_awaited {
        return Ok(accepted(prompt_id));
    }

    let completion = state.engine().completion(&prompt_id);
    let entry = match completion {
        Some(completion) => completion.await.ok(),
        None => None,
    };
    abandonment.prompt_id = None;
    match entry {
        Some(entry) => outcome::answer(&state, entry, request.answer, &digest).await,
        None if state.is_stopping() => Err(ApiError::ShuttingDown),
        None => Ok(outcome::removed()),
    }
}

fn accepted(prompt_id: String) -> Response {
    let location = HeaderValue::from_str(&format!("/api/v1/prompts/{prompt_id}"));
    let mut response = reply::json(StatusCode::ACCEPTED, &AcceptedPrompt { prompt_id });
    let headers = response.headers_mut();
    if let Ok(location) = location {
        headers.insert(header::LOCATION, location);
    }
    headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    response
}

/// Takes the prompt out of the queue when the client goes away before it has begun. One that runs is left alone: its images
/// are saved, and the same request again finds its results in the cache.
struct Abandonment {
    engine: Engine,
    prompt_id: Option<String>,
}

impl Drop for Abandonment {
    fn drop(&mut self) {
        if let Some(prompt_id) = self.prompt_id.take() {
            tracing::debug!(prompt_id, "a client went away before its prompt had ended");
            self.engine.delete_pending(&[prompt_id]);
        }
    }
}
