//! The one place that turns a failure into a status and a body.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use comfy_api::error::{ErrorDetail, NodeErrors, PromptRefused};
use comfy_exec::SubmitError;

use crate::reply;

/// Why a request was not served.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The request makes no sense; the text says what was expected and what came. Answered in the shape of a refused prompt.
    BadRequest(String),
    /// A prompt that cannot run.
    Refused(Box<PromptRefused>),
    /// The body is larger than the limit, in bytes.
    TooLarge(u64),
    /// The body stopped arriving.
    TimedOut,
    /// A status that needs no words.
    Status(StatusCode),
    /// A status and why, for people.
    Said(StatusCode, String),
    /// The queue has no room; how many prompts it may hold.
    QueueFull(usize),
    /// The server is about to end.
    ShuttingDown,
    /// Reading or writing a file failed for a reason that is not the client's.
    Storage(std::io::Error),
    /// Something broke; the text is for the log and the client.
    Internal(String),
}

/// The result of a handler.
pub(crate) type ApiResult = Result<Response, ApiError>;

impl ApiError {
    /// The refusal of a prompt without naming nodes.
    pub(crate) fn refused(error: ErrorDetail) -> Self {
        Self::Refused(Box::new(PromptRefused {
            error,
            node_errors: NodeErrors::new(),
        }))
    }

    /// The error as ComfyUI words the refusal of a prompt. `/prompt` wraps it; `/api/v1/prompts` sends it alone.
    pub(crate) fn detail(&self) -> Option<ErrorDetail> {
        match self {
            Self::Refused(refused) => Some(refused.error.clone()),
            // Typed clients know a closed list of kinds; this one says that the whole prompt is unusable.
            Self::BadRequest(text) => Some(ErrorDetail::new(
                "invalid_prompt",
                "Invalid request",
                text.clone(),
            )),
            _ => None,
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Invalid(invalid) => Self::Refused(Box::new(PromptRefused {
                error: invalid.error,
                node_errors: invalid.node_errors,
            })),
            SubmitError::QueueFull { limit, .. } => Self::QueueFull(limit),
            SubmitError::ShuttingDown => Self::ShuttingDown,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refused) => reply::json(StatusCode::BAD_REQUEST, &*refused),
            Self::BadRequest(text) => {
                let error = ErrorDetail::new("invalid_prompt", "Invalid request", text);
                reply::json(
                    StatusCode::BAD_REQUEST,
                    &PromptRefused {
                        error,
                        node_errors: NodeErrors::new(),
                    },
                )
            }
            Self::TooLarge(limit) => reply::text(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("Maximum request body size {limit} exceeded"),
            ),
            Self::TimedOut => reply::text(
                StatusCode::REQUEST_TIMEOUT,
                "the request body stopped arriving",
            ),
            Self::Status(status) => reply::empty(status),
            Self::Said(status, text) => reply::text(status, text),
            Self::QueueFull(limit) => reply::text(
                StatusCode::TOO_MANY_REQUESTS,
                format!("the queue is full: it holds {limit} prompts"),
            ),
            Self::ShuttingDown => reply::text(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server is shutting down",
            ),
            Self::Storage(error) => {
                tracing::error!(%error, "a file could not be read or written");
                reply::text(
                    StatusCode::INSUFFICIENT_STORAGE,
                    format!("a file could not be read or written: {error}"),
                )
            }
            Self::Internal(text) => {
                tracing::error!(error = %text, "a request failed");
                reply::text(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("500 Internal Server Error\n\n{text}"),
                )
            }
        }
    }
}
