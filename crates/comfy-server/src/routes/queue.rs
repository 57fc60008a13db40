//! `GET /queue` and `POST /queue`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use comfy_api::queue::{DeleteRequest, QueueInfo};
use serde_json::Value as Json;

use super::on_thread;
use crate::body::{self, is_truthy};
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;

/// The prompts that run and wait.
#[utoipa::path(
    get, path = "/queue", operation_id = "get_queue", tag = "ui",
    responses((status = 200, description = "The queue.", body = QueueInfo)),
)]
pub(super) async fn get_queue(State(state): State<AppState>) -> ApiResult {
    on_thread(move || reply::json(StatusCode::OK, &state.engine().queue())).await
}

/// Remove prompts that wait.
#[utoipa::path(
    post, path = "/queue", operation_id = "post_queue", tag = "ui",
    request_body = DeleteRequest,
    responses(
        (status = 200, description = "Done; unknown prompts are ignored. The body is empty."),
        (status = 400, description = "The body is not JSON, or `delete` is no list.", body = comfy_api::error::PromptRefused),
    ),
)]
pub(super) async fn post_queue(State(state): State<AppState>, request: Request) -> ApiResult {
    let removal = Removal::parse(&body::json(request).await?)?;
    if removal.everything {
        state.engine().clear_pending();
    }
    if !removal.prompt_ids.is_empty() {
        state.engine().delete_pending(&removal.prompt_ids);
    }
    Ok(reply::empty(StatusCode::OK))
}

/// What to remove from the queue or the history.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Removal {
    pub(super) everything: bool,
    pub(super) prompt_ids: Vec<String>,
}

impl Removal {
    /// Reads a body as leniently as ComfyUI: a list or a text names nothing, and ids that are no text match no prompt.
    pub(super) fn parse(body: &Json) -> Result<Self, ApiError> {
        let unusable =
            |what: &str, got: &Json| ApiError::BadRequest(format!("expected {what}, got {got}"));
        let members = match body {
            Json::Object(members) => members,
            Json::Array(_) | Json::String(_) => {
                return Ok(Self {
                    everything: false,
                    prompt_ids: Vec::new(),
                });
            }
            other => return Err(unusable("a JSON object", other)),
        };
        let prompt_ids = match members.get("delete") {
            // The characters of a text would be taken for ids; none is one.
            None | Some(Json::String(_) | Json::Object(_)) => Vec::new(),
            Some(Json::Array(ids)) => ids.iter().filter_map(id_text).collect(),
            Some(other) => return Err(unusable("a list of prompt ids as `delete`", other)),
        };
        Ok(Self {
            everything: members.get("clear").is_some_and(is_truthy),
            prompt_ids,
        })
    }
}

/// An id as text. The first contract spoke of integers, so their digits count as well.
fn id_text(id: &Json) -> Option<String> {
    match id {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_read_leniently() {
        let parsed = |body: Json| Removal::parse(&body).expect("a usable body");
        assert_eq!(
            parsed(json!({})),
            Removal {
                everything: false,
                prompt_ids: vec![]
            }
        );
        assert_eq!(
            parsed(json!({"clear": 1, "delete": ["a", 5, null]})),
            Removal {
                everything: true,
                prompt_ids: vec!["a".into(), "5".into()]
            }
        );
        assert_eq!(
            parsed(json!({"clear": false, "delete": "abc"})),
            Removal {
                everything: false,
                prompt_ids: vec![]
            }
        );
        assert_eq!(
            parsed(json!([])),
            Removal {
                everything: false,
                prompt_ids: vec![]
            }
        );
        for bad in [
            json!(null),
            json!(3),
            json!({"delete": 5}),
            json!({"delete": null}),
        ] {
            assert!(Removal::parse(&bad).is_err(), "{bad}");
        }
    }
}
