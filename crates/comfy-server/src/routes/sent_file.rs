//! A file as it is, with validators, conditional requests and one byte range.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::error::{ApiError, ApiResult};
use crate::reply;

/// Bytes read at a time.
const CHUNK: u64 = 64 << 10;
/// Types that a browser would run as a part of this site.
const ACTIVE_TYPES: &[&str] = &[
    "text/html",
    "text/html-sandboxed",
    "application/xhtml+xml",
    "text/javascript",
    "application/javascript",
    "text/css",
];

/// Sends the file, or the part of it that was asked for, or word that it has not changed.
pub(super) async fn send(path: &Path, name: &str, headers: &HeaderMap) -> ApiResult {
    let file = File::open(path).await.map_err(missing_or)?;
    let metadata = file.metadata().await.map_err(ApiError::Storage)?;
    let version = Version {
        size: metadata.len(),
        modified: metadata.modified().unwrap_or(UNIX_EPOCH),
    };

    if let Some(status) = version.precondition(headers) {
        let mut response = reply::empty(status);
        version.describe(response.headers_mut());
        return Ok(response);
    }
    let mut response = match version.range(headers) {
        Wanted::Everything => body(file, 0..version.size, StatusCode::OK).await?,
        Wanted::Part(range) => {
            let content_range = format!(
                "bytes {}-{}/{}",
                range.start,
                range.end.saturating_sub(1),
                version.size
            );
            let mut response = body(file, range, StatusCode::PARTIAL_CONTENT).await?;
            set(
                response.headers_mut(),
                header::CONTENT_RANGE,
                &content_range,
            );
            response
        }
        Wanted::Impossible => {
            let mut response = reply::empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(
                response.headers_mut(),
                header::CONTENT_RANGE,
                &format!("bytes */{}", version.size),
            );
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media_type(name));
    // What people keep here must never act as a part of this site: not by its looks, nor as a drawing with scripts inside.
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("sandbox"),
    );
    if headers.contains_key(header::CONTENT_LENGTH) {
        version.describe(headers);
    }
    Ok(response)
}

fn missing_or(error: std::io::Error) -> ApiError {
    match error.kind() {
        std::io::ErrorKind::NotFound => ApiError::Status(StatusCode::NOT_FOUND),
        _ => ApiError::Storage(error),
    }
}

/// The media type by the name; nothing that a browser would run.
fn media_type(name: &str) -> HeaderValue {
    let guess = mime_guess::from_path(name)
        .first_raw()
        .unwrap_or("application/octet-stream");
    HeaderValue::from_static(if ACTIVE_TYPES.contains(&guess) {
        "application/octet-stream"
    } else {
        guess
    })
}

async fn body(mut file: File, range: Range<u64>, status: StatusCode) -> ApiResult {
    let length = range.end - range.start;
    if range.start > 0 {
        file.seek(SeekFrom::Start(range.start))
            .await
            .map_err(ApiError::Storage)?;
    }
    let chunks = stream::try_unfold((file, length), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, std::io::Error>(None);
        }
        let mut chunk = Vec::with_capacity(left.min(CHUNK) as usize);
        let read = (&mut file)
            .take(left.min(CHUNK))
            .read_to_end(&mut chunk)
            .await?;
        if read == 0 {
            // The file became shorter; the length in the header would be a lie.
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((Bytes::from(chunk), (file, left - read as u64))))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

fn set(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// What part of a file is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Everything,
    Part(Range<u64>),
    Impossible,
}

/// What identifies the present content of a file.
#[derive(Clone, Copy, Debug)]
struct Version {
    size: u64,
    modified: SystemTime,
}

impl Version {
    fn etag(&self) -> String {
        let nanoseconds = self
            .modified
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        format!("\"{nanoseconds:x}-{:x}\"", self.size)
    }

    fn describe(&self, headers: &mut HeaderMap) {
        set(headers, header::ETAG, &self.etag());
        set(
            headers,
            header::LAST_MODIFIED,
            &httpdate::fmt_http_date(self.modified),
        );
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }

    /// Whether the request must not be answered with the content, and with what instead (RFC 9110 §13.2.2).
    fn precondition(&self, headers: &HeaderMap) -> Option<StatusCode> {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let date = |name| text(name).and_then(|value| httpdate::parse_http_date(value).ok());
        if let Some(tags) = text(header::IF_MATCH) {
            if !self.is_named_by(tags) {
                return Some(StatusCode::PRECONDITION_FAILED);
            }
        } else if date(header::IF_UNMODIFIED_SINCE).is_some_and(|date| self.whole_seconds() > date)
        {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
        if let Some(tags) = text(header::IF_NONE_MATCH) {
            return self.is_named_by(tags).then_some(StatusCode::NOT_MODIFIED);
        }
        date(header::IF_MODIFIED_SINCE)
            .is_some_and(|date| self.whole_seconds() <= date)
            .then_some(StatusCode::NOT_MODIFIED)
    }

    /// Whether a list of entity tags has this version's.
    fn is_named_by(&self, tags: &str) -> bool {
        let own = self.etag();
        tags.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == own)
    }

    /// Dates in headers have no fractions.
    fn whole_seconds(&self) -> SystemTime {
        let seconds = self
            .modified
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The part of the file that the request asks for. Several ranges at a time are answered with everything, as is allowed.
    fn range(&self, headers: &HeaderMap) -> Wanted {
        let text = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
        };
        let Some(range) = text(header::RANGE) else {
            return Wanted::Everything;
        };
        let is_stale =
            text(header::IF_RANGE).is_some_and(|tag| match httpdate::parse_http_date(tag) {
                Ok(date) => self.whole_seconds() != date,
                Err(_) => tag != self.etag(),
            });
        if is_stale {
            return Wanted::Everything;
        }
        let Some(range) = range.trim().strip_prefix("bytes=") else {
            return Wanted::Everything;
        };
        if range.contains(',') {
            return Wanted::Everything;
        }
        self.part(range).map_or(Wanted::Impossible, Wanted::Part)
    }

    /// `first-last`, `first-` or `-count`.
    fn part(&self, range: &str) -> Option<Range<u64>> {
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| text.trim().parse::<u64>();
        if first.trim().is_empty() {
            let count = number(last).ok()?.min(self.size);
            return (count > 0).then(|| self.size - count..self.size);
        }
        let start = number(first).ok()?;
        let end = if last.trim().is_empty() {
            self.size
        } else {
            number(last).ok()?.saturating_add(1).min(self.size)
        };
        (start < end).then_some(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version {
        Version {
            size: 100,
            modified: UNIX_EPOCH + Duration::new(1_000_000, 5),
        }
    }

    fn with(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    HeaderValue::from_str(value).expect("a header"),
                )
            })
            .collect()
    }

    #[test]
    fn the_tag_is_time_and_size() {
        let version = Version {
            size: 0x218d,
            modified: UNIX_EPOCH + Duration::from_nanos(0x18ea_b411_e20c_5906),
        };
        assert_eq!(version.etag(), "\"18eab411e20c5906-218d\"");
    }

    #[test]
    fn one_range_is_served() {
        let range = |text| version().range(&with(&[(header::RANGE, text)]));
        assert_eq!(range("bytes=0-9"), Wanted::Part(0..10));
        assert_eq!(range("bytes=90-"), Wanted::Part(90..100));
        assert_eq!(range("bytes=95-1000"), Wanted::Part(95..100));
        assert_eq!(range("bytes=-10"), Wanted::Part(90..100));
        assert_eq!(range("bytes=-1000"), Wanted::Part(0..100));
        for impossible in [
            "bytes=100-",
            "bytes=9-3",
            "bytes=-0",
            "bytes=x-",
            "bytes=5",
            "bytes=-18446744073709551616",
        ] {
            assert_eq!(range(impossible), Wanted::Impossible, "{impossible}");
        }
        assert_eq!(range("bytes=0-1,5-6"), Wanted::Everything);
        assert_eq!(range("lines=0-1"), Wanted::Everything);
        let stale = with(&[
            (header::RANGE, "bytes=0-9"),
            (header::IF_RANGE, "\"other\""),
        ]);
        assert_eq!(version().range(&stale), Wanted::Everything);
        let current = with(&[
            (header::RANGE, "bytes=0-9"),
            (header::IF_RANGE, &version().etag()),
        ]);
        assert_eq!(version().range(&current), Wanted::Part(0..10));
    }

    #[test]
    fn conditions_are_judged_in_order() {
        let tag = version().etag();
        let judged = |pairs: &[(header::HeaderName, &str)]| {
            version()
                .precondition(&with(pairs))
                .map(|status| status.as_u16())
        };
        assert_eq!(judged(&[]), None);
        assert_eq!(judged(&[(header::IF_NONE_MATCH, &tag)]), Some(304));
        assert_eq!(
            judged(&[(header::IF_NONE_MATCH, &format!("\"x\", W/{tag}"))]),
            Some(304)
        );
        assert_eq!(judged(&[(header::IF_NONE_MATCH, "\"x\"")]), None);
        assert_eq!(judged(&[(header::IF_MATCH, "\"x\"")]), Some(412));
        let date = httpdate::fmt_http_date(version().modified);
        assert_eq!(judged(&[(header::IF_MODIFIED_SINCE, &date)]), Some(304));
        assert_eq!(
            judged(&[
                (header::IF_NONE_MATCH, "\"x\""),
                (header::IF_MODIFIED_SINCE, &date)
            ]),
            None
        );
        let earlier = httpdate::fmt_http_date(UNIX_EPOCH);
        assert_eq!(
            judged(&[(header::IF_UNMODIFIED_SINCE, &earlier)]),
            Some(412)
        );
        assert_eq!(judged(&[(header::IF_MODIFIED_SINCE, &earlier)]), None);
    }

    #[test]
    fn browsers_get_nothing_to_run() {
        assert_eq!(media_type("a.png"), "image/png");
        assert_eq!(media_type("a.webp"), "image/webp");
        for name in ["a.html", "a.js", "a.css", "a.xhtml", "a", "a.unknown"] {
            assert_eq!(media_type(name), "application/octet-stream", "{name}");
        }
    }
}
