//! The limits on request bodies.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::body::{BodyLimit, discard, guarded};
use crate::error::ApiError;

/// What a request body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Its bytes.
    pub(super) size: u64,
    /// How long it may pause.
    pub(super) patience: Duration,
}

/// Refuses a body that announces too much, and cuts off one that turns out to have too much, or stops arriving.
pub(super) async fn limit(
    State(Limits {
        size: limit,
        patience,
    }): State<Limits>,
    request: Request,
    next: Next,
) -> Response {
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
    let body = guarded(body, limit, patience);
    next.run(Request::from_parts(parts, body)).await
}
