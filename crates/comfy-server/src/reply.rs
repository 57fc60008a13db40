//! Answers in ComfyUI's form.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => typed(status, JSON, standard(body)),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as JSON");
            text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "500 Internal Server Error",
            )
        }
    }
}

/// Prompts may hold numbers that JSON cannot write (Python writes `NaN`), which travel inside the server as marked strings.
/// Browsers refuse a document with Python's tokens in it, so clients get null.
pub(crate) fn standard(json: Vec<u8>) -> Vec<u8> {
    // The opening quotation mark and U+FDD0 in UTF-8.
    const MARK: &[u8] = b"\"\xEF\xB7\x90";
    const TOKENS: [&[u8]; 3] = [b"NaN\"", b"Infinity\"", b"-Infinity\""];
    let mut result = Vec::new();
    let mut copied = 0;
    let mut position = 0;
    while let Some(found) = json[position..]
        .windows(MARK.len())
        .position(|window| window == MARK)
    {
        let start = position + found;
        position = start + MARK.len();
        if let Some(token) = TOKENS
            .iter()
            .find(|token| json[position..].starts_with(token))
        {
            result.extend_from_slice(&json[copied..start]);
            result.extend_from_slice(b"null");
            position += token.len();
            copied = position;
        }
    }
    if copied == 0 {
        return json;
    }
    result.extend_from_slice(&json[copied..]);
    result
}

/// A plain-text answer.
pub(crate) fn text(status: StatusCode, body: impl Into<String>) -> Response {
    typed(status, TEXT, body.into())
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    status.into_response()
}

/// An answer of a given media type.
pub(crate) fn typed(
    status: StatusCode,
    media_type: HeaderValue,
    body: impl Into<Body>,
) -> Response {
    (status, [(header::CONTENT_TYPE, media_type)], body.into()).into_response()
}

#[cfg(test)]
mod tests {
    use comfy_graph::python_json;

    use super::standard;

    #[test]
    fn numbers_that_json_cannot_write_become_null() {
        let value =
            python_json::from_str(r#"{"a": [NaN, 1, -Infinity], "b": "NaN", "c": Infinity}"#)
                .expect("Python's JSON");
        let written = standard(serde_json::to_vec(&value).expect("a value"));
        assert_eq!(
            String::from_utf8(written).expect("text"),
            r#"{"a":[null,1,null],"b":"NaN","c":null}"#
        );
        let plain = r#"{"x":"\uFDD1 NaN"}"#.as_bytes().to_vec();
        assert_eq!(standard(plain.clone()), plain);
    }
}
