//! Which sites' pages may use the server.
//!
//! Without a setting, a page of another site cannot reach a server on this machine through the visitor's browser: when the
//! request names a loopback host, its origin must be that host, and a server that listens only here is asked for under no other
//! name (a site can point its own name here). With `--enable-cors-header` the chosen origin may.

use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::body::discard;
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

/// What the server knows of its own address.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    /// Whether only this machine reaches the server.
    pub(super) is_local: bool,
    /// Whether browsers prove by themselves who asks, by a password or cookie they keep.
    pub(super) has_key: bool,
    /// Names, besides those of this machine, under which clients reach it; in lower case.
    pub(super) names: Arc<[String]>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Foreign {
    #[error(
        "a request for a host that is not this machine was refused: its name may have been pointed here by another site. \
         --external-address or --listen names further hosts"
    )]
    Host,
    #[error(
        "a page of another site tried to use this server and was refused; --enable-cors-header allows it"
    )]
    Page,
}

/// Keeps other sites' pages away from the server.
pub(super) async fn check(State(site): State<Site>, request: Request, next: Next) -> Response {
    if let Some(reason) = site.foreign(request.method(), request.headers()).await {
        tracing::warn!("{reason}");
        discard(request.into_body());
        return reply::empty(StatusCode::FORBIDDEN);
    }
    if request.method() == Method::OPTIONS {
        return reply::empty(StatusCode::OK);
    }
    next.run(request).await
}

impl Site {
    async fn foreign(&self, method: &Method, headers: &HeaderMap) -> Option<Foreign> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text("host").and_then(|host| host.to_ascii_lowercase().parse().ok());
        let host: Option<Authority> = host;
        if let Some(host) = &host
            && self.is_local
            && !is_this_machine(host.host())
            && !self.is_own(host.host())
        {
            return Some(Foreign::Host);
        }
        // Opening this page from a link is what other sites may do; everything else they ask a browser for is not.
        let opens = *method == Method::GET
            && text("sec-fetch-mode") == Some("navigate")
            && text("sec-fetch-dest").is_none_or(|kind| kind == "document");
        if text("sec-fetch-site") == Some("cross-site") && !opens {
            return Some(Foreign::Page);
        }
        let (host, origin) = (host?, text("origin")?);
        if !self.has_key && !is_loopback(host.host()).await {
            return None;
        }
        let origin = origin.to_ascii_lowercase().parse::<Uri>().ok();
        let origin = origin.and_then(|uri| uri.authority().cloned());
        // An origin without an authority ("null", or garbage) is some other page's.
        let is_same =
            origin.is_some_and(|origin| is_same(&host, &origin) || self.is_own(origin.host()));
        (!is_same).then_some(Foreign::Page)
    }

    fn is_own(&self, host: &str) -> bool {
        self.names.iter().any(|name| name == host)
    }
}

/// Whether two authorities agree in the host and, where both name one, the port.
fn is_same(host: &Authority, origin: &Authority) -> bool {
    host.host() == origin.host()
        && (host.port_u16().is_none()
            || origin.port_u16().is_none()
            || host.port_u16() == origin.port_u16())
}

/// Whether a host is this machine by its spelling.
fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
    }
}

/// Whether a host is this machine: by its spelling, or a name whose addresses all are.
async fn is_loopback(host: &str) -> bool {
    if is_this_machine(host) {
        return true;
    }
    let name = host.to_owned();
    let addresses = tokio::task::spawn_blocking(move || {
        (name.as_str(), 0).to_socket_addrs().map(Vec::from_iter)
    })
    .await;
    matches!(addresses, Ok(Ok(addresses)) if !addresses.is_empty() && addresses.iter().all(|address| address.ip().is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).expect("a header"))
            })
            .collect()
    }

    async fn refused(site: &Site, pairs: &[(&'static str, &str)]) -> Option<Foreign> {
        site.foreign(&Method::GET, &headers(pairs)).await
    }

    #[tokio::test]
    async fn a_local_server_is_for_its_own_pages() {
        let site = Site::default();
        for (host, origin) in [
            ("127.0.0.1:8188", "http://evil.example"),
            ("localhost:8188", "http://localhost:9000"),
            ("[::1]:8188", "http://127.0.0.1:8188"),
            ("127.0.0.1:8188", "null"),
        ] {
            let pairs = [("host", host), ("origin", origin)];
            assert_eq!(
                refused(&site, &pairs).await,
                Some(Foreign::Page),
                "{pairs:?}"
            );
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
            let pairs = [("host", host), ("origin", origin)];
            assert_eq!(refused(&site, &pairs).await, None, "{pairs:?}");
        }
    }

    #[tokio::test]
    async fn names_that_are_pointed_here_are_refused() {
        let site = Site {
            is_local: true,
            names: Arc::from(["comfy.example".to_owned()]),
            ..Site::default()
        };
        for (host, expected) in [
            ("evil.example:8188", Some(Foreign::Host)),
            ("10.0.0.5:8188", Some(Foreign::Host)),
            ("localhost.evil.example", Some(Foreign::Host)),
            ("localhost:8188", None),
            ("studio.localhost", None),
            ("127.9.9.9", None),
            ("[::1]:8188", None),
            ("[::ffff:127.0.0.1]:8188", None),
            ("Comfy.Example:443", None),
        ] {
            assert_eq!(refused(&site, &[("host", host)]).await, expected, "{host}");
        }
        // A page under the name the server was told of is its own.
        let proxied = [
            ("host", "127.0.0.1:8188"),
            ("origin", "https://comfy.example"),
        ];
        assert_eq!(refused(&site, &proxied).await, None);
        assert_eq!(refused(&site, &[]).await, None);
        assert_eq!(
            refused(&Site::default(), &[("host", "evil.example")]).await,
            None
        );
    }

    #[tokio::test]
    async fn what_a_browser_says_of_the_asking_site_counts() {
        let site = Site::default();
        for (value, expected) in [
            ("cross-site", Some(Foreign::Page)),
            ("same-site", None),
            ("same-origin", None),
            ("none", None),
        ] {
            let pairs = [("host", "10.0.0.5"), ("sec-fetch-site", value)];
            assert_eq!(refused(&site, &pairs).await, expected, "{value}");
        }
        let link = headers(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ]);
        assert_eq!(site.foreign(&Method::GET, &link).await, None);
        // A form of another site also opens a page.
        let form = site.foreign(&Method::POST, &link).await;
        assert_eq!(form, Some(Foreign::Page));
    }

    #[tokio::test]
    async fn with_a_key_origins_are_compared_on_every_host() {
        let site = Site {
            has_key: true,
            ..Site::default()
        };
        let pairs = |origin| [("host", "10.0.0.5:8188"), ("origin", origin)];
        assert_eq!(
            refused(&site, &pairs("http://evil.example")).await,
            Some(Foreign::Page)
        );
        assert_eq!(refused(&site, &pairs("http://10.0.0.5:8188")).await, None);
    }
}
