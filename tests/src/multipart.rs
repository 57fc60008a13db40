//! Multipart bodies.

use crate::http::Request;

const BOUNDARY: &str = "----a-boundary-that-no-part-contains";

/// A part of a form: `(name, file name, content)`.
pub type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// A POST of a form.
pub fn form(target: &str, parts: &[Part<'_>]) -> Request {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"").as_bytes(),
        );
        if let Some(file_name) = file_name {
            body.extend_from_slice(
                format!("; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream")
                    .as_bytes(),
            );
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Request::new("POST", target)
        .header(
            "Content-Type",
            &format!("multipart/form-data; boundary={BOUNDARY}"),
        )
        .body(body)
}
