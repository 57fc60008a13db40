//! `GET` and `POST /users`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use comfy_api::users::{NewUser, UserStorage};
use serde_json::json;

use super::on_thread;
use crate::body;
use crate::error::{ApiError, ApiResult};
use crate::reply;
use crate::state::AppState;
use crate::users::{User, UserError};

/// Who sent the request; others than known users are turned away.
pub(super) fn sender(state: &AppState, headers: &HeaderMap) -> Result<User, ApiError> {
    state.users().of_request(headers).map_err(Into::into)
}

impl From<UserError> for ApiError {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Unknown(_) => Self::Said(StatusCode::UNAUTHORIZED, error.to_string()),
            UserError::Storage { ref source, .. } => {
                let kind = source.kind();
                Self::Storage(std::io::Error::new(kind, error))
            }
            UserError::Duplicate | UserError::Empty | UserError::System => {
                Self::Said(StatusCode::BAD_REQUEST, error.to_string())
            }
        }
    }
}

/// Who uses this server.
#[utoipa::path(
    get, path = "/users", operation_id = "get_users", tag = "ui",
    responses((status = 200, description = "With one user, whether anything has been kept yet; with many, their names.", body = UserStorage)),
)]
pub(super) async fn get_users(State(state): State<AppState>, headers: HeaderMap) -> ApiResult {
    on_thread(move || {
        let storage = "server".to_owned();
        let answer = if state.users().is_multiple() {
            UserStorage {
                storage,
                users: Some(state.users().all()?),
                migrated: None,
            }
        } else {
            UserStorage {
                storage,
                users: None,
                migrated: Some(sender(&state, &headers)?.has_folder()),
            }
        };
        Ok(reply::json(StatusCode::OK, &answer))
    })
    .await?
}

/// Add a user.
#[utoipa::path(
    post, path = "/users", operation_id = "post_users", tag = "ui",
    request_body = NewUser,
    responses(
        (status = 200, description = "The id of the new user, for the header `comfy-user`.", body = String, content_type = "application/json"),
        (status = 400, description = "There is no name, or it is taken.", body = serde_json::Value),
    ),
)]
pub(super) async fn post_users(State(state): State<AppState>, request: Request) -> ApiResult {
    let body = body::json(request).await?;
    let Some(name) = body.get("username").and_then(|name| name.as_str()) else {
        return Err(ApiError::BadRequest(format!(
            "expected {{\"username\": text}}, got {body}"
        )));
    };
    let name = name.to_owned();
    on_thread(move || match state.users().add(&name) {
        Ok(id) => Ok(reply::json(StatusCode::OK, &id)),
        Err(error @ UserError::Storage { .. }) => Err(error.into()),
        Err(error) => Ok(reply::json(
            StatusCode::BAD_REQUEST,
            &json!({"error": error.to_string()}),
        )),
    })
    .await?
}
