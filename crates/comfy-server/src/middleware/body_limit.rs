//! The limit on request bodies.

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::body::{BodyLimit, discard, guarded};
use crate::error::ApiError;

/// Refuses a body that announces too much, and cuts off one that turns out to have too much.
pub(super) async fn limit(State(limit): State<u64>, request: Request, next: Next) -> Response {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        // A client that asks before it sends is stopped by the answer. Another one gets to send what it has, for a while, as it
        // would not look for an answer before.
        let waits_for_permission = request.headers().contains_key(header::EXPECT);
        if !waits_for_permission {
            discard(request.into_body());
        }
        let mut response = ApiError::TooLarge(limit).into_response();
        response.headers_mut().insert(
            header::CONNECTION,
            axum::http::HeaderValue::from_static("close"),
        );
        return response;
    }
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(BodyLimit(limit));
    next.run(Request::from_parts(parts, guarded(body, limit)))
        .await
}
