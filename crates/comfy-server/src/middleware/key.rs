//! Who may use a server that has a key.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;

use crate::body::discard;
use crate::key::ApiKey;
use crate::reply;

/// The cookie of browsers that have shown the key.
const COOKIE: &str = "comfy_session";

/// The key, and how cookies are set.
#[derive(Clone, Debug)]
pub(super) struct Lock {
    pub(super) key: ApiKey,
    /// Whether the server is reached through TLS.
    pub(super) is_secure: bool,
}

/// How a request showed that it knows the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// In a header that programs set.
    Header,
    /// By the name and password that a browser asked for, or in the address.
    ByHand,
    /// In the cookie of an earlier answer.
    Cookie,
}

/// Lets through who knows the key. A page that was opened with it gets a cookie, since a page cannot add headers to websockets and pictures.
pub(super) async fn check(State(lock): State<Lock>, request: Request, next: Next) -> Response {
    let Some(shown) = lock.shown(request.headers(), request.uri()) else {
        discard(request.into_body());
        return refusal();
    };
    let keeps_cookie = shown == Shown::ByHand && opens_page(request.headers());
    let mut response = next.run(request).await;
    if keeps_cookie && let Some(cookie) = lock.cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Lock {
    fn shown(&self, headers: &HeaderMap, uri: &Uri) -> Option<Shown> {
        let authorisation = text(headers, header::AUTHORIZATION).and_then(|value| {
            let (scheme, rest) = value.split_once(' ')?;
            Some((scheme.to_ascii_lowercase(), rest.trim()))
        });
        match authorisation {
            Some((scheme, token)) if scheme == "bearer" && self.key.is(token) => {
                return Some(Shown::Header);
            }
            Some((scheme, token))
                if scheme == "basic" && password(token).is_some_and(|word| self.key.is(&word)) =>
            {
                return Some(Shown::ByHand);
            }
            _ => {}
        }
        if tokens(uri).any(|token| self.key.is(&token)) {
            return Some(Shown::ByHand);
        }
        cookies(headers)
            .any(|value| self.key.is_session(value))
            .then_some(Shown::Cookie)
    }

    /// Other sites' pages cannot make a browser send it, and scripts cannot read it.
    fn cookie(&self) -> Option<HeaderValue> {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let session = self.key.session();
        HeaderValue::from_str(&format!(
            "{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict{secure}"
        ))
        .ok()
    }
}

fn refusal() -> Response {
    let mut response = reply::text(
        StatusCode::UNAUTHORIZED,
        "this server wants its key: as `Authorization: Bearer KEY`, as the password of Basic authorization, or as ?token=KEY",
    );
    // A browser asks its user then; any name will do.
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"comfy-server\", charset=\"UTF-8\""),
    );
    response
}

/// Whether a browser asks for a page to show.
fn opens_page(headers: &HeaderMap) -> bool {
    match text(headers, header::HeaderName::from_static("sec-fetch-mode")) {
        Some(mode) => mode == "navigate",
        // Browsers tell their mode only to addresses they trust.
        None => text(headers, header::ACCEPT).is_some_and(|types| types.contains("text/html")),
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The password of Basic authorization; whatever stands before the colon is ignored.
fn password(token: &str) -> Option<String> {
    let pair = String::from_utf8(BASE64_STANDARD.decode(token).ok()?).ok()?;
    Some(pair.split_once(':')?.1.to_owned())
}

/// The values of `token` in the query.
fn tokens(uri: &Uri) -> impl Iterator<Item = String> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs
        .filter_map(|pair| pair.strip_prefix("token="))
        .map(|value| {
            let spaced = value.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        })
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: Option<(header::HeaderName, &str)>, uri: &str) -> Option<Shown> {
        let lock = Lock {
            key: ApiKey::new("pä ss:word").expect("a key"),
            is_secure: false,
        };
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            let value = value.replace("SESSION", lock.key.session());
            headers.insert(
                name,
                HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
            );
        }
        lock.shown(&headers, &uri.parse().expect("an address"))
    }

    #[test]
    fn a_key_can_be_shown_in_four_ways() {
        let basic = |pair: &str| format!("basic {}", BASE64_STANDARD.encode(pair));
        let authorisation = |value: &str| shown(Some((header::AUTHORIZATION, value)), "/prompt");
        assert_eq!(
            authorisation(&basic("me:pä ss:word")),
            Some(Shown::ByHand),
            "the password has a colon"
        );
        for wrong in [
            &basic("pä ss:word"),
            "Basic !!!",
            "Basic",
            "Bearer nope",
            "Digest x",
            "",
        ] {
            assert_eq!(authorisation(wrong), None, "{wrong}");
        }
        for (uri, expected) in [
            (
                "/ws?clientId=a&token=p%C3%A4+ss%3Aword",
                Some(Shown::ByHand),
            ),
            ("/ws?token=p%C3%A4%20ss:word", Some(Shown::ByHand)),
            ("/ws?Token=p%C3%A4+ss:word", None),
            ("/ws?token=", None),
            ("/ws", None),
        ] {
            assert_eq!(shown(None, uri), expected, "{uri}");
        }
        let cookie = |value: &str| shown(Some((header::COOKIE, value)), "/");
        assert_eq!(
            cookie("a=b; comfy_session=SESSION; c=d"),
            Some(Shown::Cookie)
        );
        for wrong in [
            "comfy_session=",
            "comfy_session=x",
            "xcomfy_session=SESSION",
        ] {
            assert_eq!(cookie(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bearer_of_the_key_is_let_through() {
        let lock = Lock {
            key: ApiKey::new("secret").expect("a key"),
            is_secure: true,
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static("BEARER  secret"),
        );
        assert_eq!(
            lock.shown(&headers, &Uri::from_static("/")),
            Some(Shown::Header)
        );
        let cookie = lock.cookie().expect("a header");
        assert!(
            cookie
                .to_str()
                .is_ok_and(|cookie| cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"))
        );
    }
}
