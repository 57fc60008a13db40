//! Compression of answers for clients that can read it.

use axum::http::{Extensions, HeaderMap, StatusCode, Version, header};
use tower_http::compression::CompressionLayer;

/// Whether an answer is worth compressing.
type Worth = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Compresses JSON and plain text; pictures are compressed already.
pub(super) fn layer() -> CompressionLayer<Worth> {
    CompressionLayer::new()
        .gzip(true)
        .compress_when(is_text as Worth)
}

fn is_text(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    matches!(essence, "application/json" | "text/plain")
}
