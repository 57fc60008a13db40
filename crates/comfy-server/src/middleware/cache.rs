//! Cache headers by the name of what is asked for, where the route set none.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

const PICTURES: &[&str] = &[
    "jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp",
];

/// Sets `Cache-Control`.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let rule = Rule::of(request.uri().path());
    let mut response = next.run(request).await;
    if let Some(value) = rule.and_then(|rule| rule.value(response.status())) {
        response
            .headers_mut()
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// How things of one kind are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Programs and indexes, which change with the server.
    Revalidate,
    /// Pictures.
    Keep,
}

impl Rule {
    /// The rule for a path; the query does not count.
    fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if matches!(extension, Some("js" | "css"))
            || (name.starts_with("index") && extension == Some("json"))
        {
            return Some(Self::Revalidate);
        }
        let extension = extension?.to_ascii_lowercase();
        PICTURES.contains(&extension.as_str()).then_some(Self::Keep)
    }

    fn value(self, status: StatusCode) -> Option<&'static str> {
        match (self, status.as_u16()) {
            (Self::Revalidate, _) | (Self::Keep, 302 | 303 | 307) => Some("no-cache"),
            (Self::Keep, 404) => Some("public, max-age=3600"),
            (Self::Keep, 200..=206 | 301 | 308) => Some("public, max-age=86400"),
            (Self::Keep, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_follows_the_last_part_of_the_path() {
        for path in [
            "/a.js",
            "/x/user.css",
            "/templates/index.json",
            "/index.core.json",
        ] {
            assert_eq!(Rule::of(path), Some(Rule::Revalidate), "{path}");
        }
        for path in ["/a.png", "/b/C.JPEG", "/d.WebP"] {
            assert_eq!(Rule::of(path), Some(Rule::Keep), "{path}");
        }
        for path in ["/", "/view", "/a.js/b", "/other.json", "/a.JS", "/png"] {
            assert_eq!(Rule::of(path), None, "{path}");
        }
    }

    #[test]
    fn pictures_are_kept_unless_the_answer_may_change() {
        let value = |status| Rule::Keep.value(StatusCode::from_u16(status).expect("a status"));
        assert_eq!(value(200), Some("public, max-age=86400"));
        assert_eq!(value(404), Some("public, max-age=3600"));
        assert_eq!(value(302), Some("no-cache"));
        assert_eq!(value(304), None);
        assert_eq!(value(500), None);
    }
}
