//! Reading request bodies within the limit.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde_json::Value as Json;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::error::ApiError;

/// How long the rest of a body that nobody wants is read and thrown away.
const LINGER: Duration = Duration::from_secs(10);
/// A pause that ends this: the client has stopped sending and looks for the answer.
const LINGER_PAUSE: Duration = Duration::from_secs(1);

/// The limit on the body of this request, in bytes; put there by [`crate::middleware`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimit(pub(crate) u64);

/// A body that paused too long.
#[derive(Debug, thiserror::Error)]
#[error("the request body stopped arriving")]
struct Stalled;

/// A body with more bytes than allowed.
#[derive(Debug, thiserror::Error)]
#[error("the request body is too long")]
struct TooLong;

/// A body that fails when nothing arrives for as long as `patience`, and when it has more than `limit` bytes.
///
/// What is left of it when nobody wants it any more is thrown away as by [`discard`].
pub(crate) fn guarded(body: Body, limit: u64, patience: Duration) -> Body {
    Body::new(Guarded {
        body,
        left: limit,
        patience,
        pause: Box::pin(sleep(patience)),
    })
}

/// Reads and throws away what a client is sending, in the background and for up to [`LINGER`].
///
/// A client that is still sending when the connection closes would find it broken instead of the answer.
pub(crate) fn discard(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    runtime.spawn(async move {
        let all =
            async { while let Ok(Some(Ok(_))) = timeout(LINGER_PAUSE, body.frame()).await {} };
        // It is thrown away either way.
        let _ = timeout(LINGER, all).await;
    });
}

struct Guarded {
    body: Body,
    left: u64,
    patience: Duration,
    pause: Pin<Box<Sleep>>,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        discard(std::mem::take(&mut self.body));
    }
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            let over = self.pause.as_mut().poll(context);
            return over.map(|()| Some(Err(Stalled.into())));
        };
        let end = Instant::now() + self.patience;
        self.pause.as_mut().reset(end);
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            match self.left.checked_sub(length) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(Box::new(TooLong)))),
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
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
        if error.is::<TooLong>() {
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
