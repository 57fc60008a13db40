//! Queries as ComfyUI reads them: of a key that is there more than once, the first counts.

use std::collections::HashSet;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::error::ApiError;

/// The query of a request. One that cannot be read is a bad request, with an error like every other.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let mut keys = HashSet::new();
    let pairs = query.split('&');
    let first: Vec<&str> = pairs
        .filter(|pair| keys.insert(pair.split_once('=').map_or(*pair, |(key, _)| key)))
        .collect();
    let uri: Uri = format!("/?{}", first.join("&")).parse().map_err(|error| {
        ApiError::BadRequest(format!("expected a query, got `{query}`: {error}"))
    })?;
    axum::extract::Query::try_from_uri(&uri)
        .map(|axum::extract::Query(value)| value)
        .map_err(|rejection| ApiError::BadRequest(rejection.body_text()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Wanted {
        a: Option<String>,
        b: Option<u8>,
    }

    #[test]
    fn the_first_of_a_key_counts() {
        let wanted: Wanted = parse("a=1&c&a=2&b=3&b=x&a").expect("a query");
        assert_eq!((wanted.a.as_deref(), wanted.b), (Some("1"), Some(3)));
        let nothing: Wanted = parse("").expect("a query");
        assert!(nothing.a.is_none() && nothing.b.is_none());
        assert!(parse::<Wanted>("b=x").is_err());
        // The same key in another spelling.
        assert!(parse::<Wanted>("b=1&%62=2").is_err());
    }
}
