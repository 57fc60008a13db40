//! Reading request bodies within the limit.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde_json::Value as Json;
use tokio::time::{Instant, Sleep, sleep};

use crate::error::ApiError;

/// How long a body may pause.
pub(crate) const PAUSE_LIMIT: Duration = Duration::from_secs(60);

/// The limit on the body of this request, in bytes; put there by [`crate::middleware`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) u64);

/// The body of a request that pauses too long.
#[derive(Debug, thiserror::Error)]
#[error("the request body stopped arriving")]
struct Stalled;

/// A body that fails when nothing arrives for [`PAUSE_LIMIT`], and after `limit` bytes.
pub(crate) fn guarded(body: Body, limit: u64) -> Body {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Body::new(Limited::new(
        Patient {
            body,
            sleep: Box::pin(sleep(PAUSE_LIMIT)),
        },
        limit,
    ))
}

struct Patient {
    body: Body,
    sleep: Pin<Box<Sleep>>,
}

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.sleep.as_mut().reset(Instant::now() + PAUSE_LIMIT);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match self.sleep.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Box::new(Stalled)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The whole body.
pub(crate) async fn bytes(request: Request) -> Result<Bytes, ApiError> {
    let limit = request.extensions().get::<BodyLimit>().copied();
    match request.into_body().collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(failure(&error, limit)),
    }
}

/// The whole body as JSON, whatever its content type says; clients send all sorts.
pub(crate) async fn json(request: Request) -> Result<Json, ApiError> {
    parse_json(&bytes(request).await?)
}

/// JSON as Python reads it.
pub(crate) fn parse_json(bytes: &[u8]) -> Result<Json, ApiError> {
    comfy_graph::python_json::from_slice(bytes).map_err(|error| {
        ApiError::BadRequest(format!("expected JSON in the request body: {error}"))
    })
}

/// What went wrong while a body was read.
pub(crate) fn failure(error: &(dyn Error + 'static), limit: Option<BodyLimit>) -> ApiError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return ApiError::TooLarge(limit.map_or(0, |limit| limit.0));
        }
        if error.is::<Stalled>() {
            return ApiError::TimedOut;
        }
        cause = error.source();
    }
    ApiError::BadRequest(format!("the request body could not be read: {error}"))
}

/// Whether Python would take the value for true, as ComfyUI does with flags.
pub(crate) fn is_truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}
