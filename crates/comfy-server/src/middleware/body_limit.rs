//! The limit on request bodies.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use crate::body::{BodyLimit, guarded};
use crate::error::ApiError;

/// How long the rest of a body that is too large is read and thrown away, so that the client gets to read the answer
/// instead of a broken connection.
const LINGER: Duration = Duration::from_secs(10);

/// Refuses a body that announces too much, and cuts off one that turns out to have too much.
pub(super) async fn limit(State(limit): State<u64>, request: Request, next: Next) -> Response {
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        // A client that asks before it sends needs no lingering: the answer stops it.
        let waits_for_permission = request.headers().contains_key(header::EXPECT);
        if !waits_for_permission {
            linger(request.into_body());
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

fn linger(mut body: Body) {
    tokio::spawn(async move {
        let discard = async { while let Some(Ok(_)) = body.frame().await {} };
        // Running out of time is as good as reaching the end.
        let _ = tokio::time::timeout(LINGER, discard).await;
    });
}
