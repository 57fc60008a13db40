//! The built-in page and the files it consists of.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::error::{ApiError, ApiResult};
use crate::reply;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const DRAWING: &str = "image/svg+xml";

/// Nothing from elsewhere is loaded, nothing written into the page can run, and no other site can frame it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Names below `/page`, with media types and contents.
const FILES: &[(&str, &str, &str)] = &[
    ("files.js", SCRIPT, include_str!("../page/files.js")),
    ("form.js", SCRIPT, include_str!("../page/form.js")),
    ("gallery.js", SCRIPT, include_str!("../page/gallery.js")),
    ("graph.js", SCRIPT, include_str!("../page/graph.js")),
    ("icon.svg", DRAWING, include_str!("../page/icon.svg")),
    ("jobs.js", SCRIPT, include_str!("../page/jobs.js")),
    ("json.js", SCRIPT, include_str!("../page/json.js")),
    ("main.js", SCRIPT, include_str!("../page/main.js")),
    ("server.js", SCRIPT, include_str!("../page/server.js")),
    ("style.css", STYLE, include_str!("../page/style.css")),
    ("viewer.js", SCRIPT, include_str!("../page/viewer.js")),
];

/// The page itself.
pub(super) fn index() -> Response {
    let html = HeaderValue::from_static(HTML);
    let mut response = reply::typed(StatusCode::OK, html, include_str!("../page/index.html"));
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// A file of the built-in page.
#[utoipa::path(
    get, path = "/page/{name}", operation_id = "get_page_file", tag = "ui",
    params(("name" = String, Path, description = "Name of the file.", example = "style.css")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "text/javascript"), (String = "text/css"), (String = "image/svg+xml"),
        )),
        (status = 404, description = "The page has no such file."),
    ),
)]
pub(super) async fn get_page_file(Path(name): Path<String>) -> ApiResult {
    let (_, media_type, content) = FILES
        .iter()
        .find(|(known, ..)| *known == name)
        .ok_or(ApiError::Status(StatusCode::NOT_FOUND))?;
    let media_type = HeaderValue::from_static(media_type);
    let mut response = reply::typed(StatusCode::OK, media_type, *content);
    let headers = response.headers_mut();
    // They change with the server.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    Ok(response)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::path::Path as FilePath;

    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("src/page");
        let mut there: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "index.html")
            .collect();
        there.sort();
        let served: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = include_str!("../page/index.html");
        for (name, _, content) in FILES.iter().chain([&("index.html", HTML, page)]) {
            // The one address is the name of SVG's vocabulary.
            let plain = content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !plain.contains("http://") && !plain.contains("https://"),
                "{name}"
            );
        }
    }
}
