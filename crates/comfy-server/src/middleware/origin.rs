//! Which sites' pages may use the server.
//!
//! Without a setting, a page of another site cannot reach a server on this machine through the visitor's browser: when the
//! request names a loopback host, its origin must be that host. With `--enable-cors-header` the chosen origin may.

use std::net::{IpAddr, ToSocketAddrs};

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::reply;

/// The headers that let a page of another site read answers.
#[derive(Clone, Debug)]
pub(super) struct CorsHeaders {
    origin: HeaderValue,
}

impl CorsHeaders {
    /// `allowed` is an origin or `*`. Text that cannot stand in a header allows nobody.
    pub(super) fn new(allowed: &str) -> Self {
        Self {
            origin: HeaderValue::from_str(allowed).unwrap_or(HeaderValue::from_static("null")),
        }
    }
}

/// Lets the chosen origin in.
pub(super) async fn allow(
    State(cors): State<CorsHeaders>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = if request.method() == Method::OPTIONS {
        reply::empty(StatusCode::OK)
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, cors.origin);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("POST, GET, DELETE, PUT, OPTIONS"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Content-Type, Authorization"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    response
}

/// Keeps other sites' pages away from a local server.
pub(super) async fn check(request: Request, next: Next) -> Response {
    if is_foreign(request.headers()).await {
        tracing::warn!(
            "a page of another site tried to use this server and was refused; --enable-cors-header allows it"
        );
        return reply::empty(StatusCode::FORBIDDEN);
    }
    if request.method() == Method::OPTIONS {
        return reply::empty(StatusCode::OK);
    }
    next.run(request).await
}

/// Whether the request is for a loopback host and comes from a page of another one.
async fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let (Some(host), Some(origin)) = (text(header::HOST), text(header::ORIGIN)) else {
        return false;
    };
    let Ok(host) = host.to_ascii_lowercase().parse::<Authority>() else {
        return false;
    };
    if !is_loopback(host.host()).await {
        return false;
    }
    let origin = origin
        .to_ascii_lowercase()
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.authority().cloned());
    // An origin without an authority ("null", or garbage) is some other page's.
    origin.is_none_or(|origin| !is_same(&host, &origin))
}

/// Whether two authorities agree in the host and, where both name one, the port.
fn is_same(host: &Authority, origin: &Authority) -> bool {
    host.host() == origin.host()
        && (host.port_u16().is_none()
            || origin.port_u16().is_none()
            || host.port_u16() == origin.port_u16())
}

/// Whether a host is this machine: a loopback address, or a name whose addresses all are.
async fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback();
    }
    if bare == "localhost" || bare.ends_with(".localhost") {
        return true;
    }
    let name = bare.to_owned();
    let addresses = tokio::task::spawn_blocking(move || {
        (name.as_str(), 0).to_socket_addrs().map(Vec::from_iter)
    })
    .await;
    matches!(addresses, Ok(Ok(addresses)) if !addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(host: &str, origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).expect("a header"));
        headers.insert(
            header::ORIGIN,
            HeaderValue::from_str(origin).expect("a header"),
        );
        is_foreign(&headers).await
    }

    #[tokio::test]
    async fn a_local_server_is_for_its_own_pages() {
        for (host, origin) in [
            ("127.0.0.1:8188", "http://evil.example"),
            ("localhost:8188", "http://localhost:9000"),
            ("[::1]:8188", "http://127.0.0.1:8188"),
            ("127.0.0.1:8188", "null"),
        ] {
            assert!(refused(host, origin).await, "{host} {origin}");
        }
        for (host, origin) in [
            ("127.0.0.1:8188", "http://127.0.0.1:8188"),
            ("LocalHost:8188", "http://localhost:8188"),
            // A port that one side leaves out is not compared.
            ("127.0.0.1:8188", "http://127.0.0.1"),
            ("127.0.0.1", "http://127.0.0.1:3000"),
            // Not loopback: whoever opened the server to the network meant it.
            ("10.0.0.5:8188", "http://evil.example"),
        ] {
            assert!(!refused(host, origin).await, "{host} {origin}");
        }
    }

    #[tokio::test]
    async fn a_request_without_origin_is_no_pages_request() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8188"));
        assert!(!is_foreign(&headers).await);
    }
}
