//! What holds for every operation of the document: examples, and the answers of the middleware.

use serde_json::Value as Json;
use utoipa::PartialSchema as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Content, OpenApi, PathItem, RefOr, Response, ResponseBuilder};

const EXAMPLES: &str = include_str!("examples.json");

/// Adds examples, the ways to show the key, and the statuses that every request may get.
pub(crate) fn complete(mut document: OpenApi) -> OpenApi {
    let examples: Json = serde_json::from_str(EXAMPLES).expect("the examples are JSON");
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            illustrate(operation, &examples[format!("{method} {path}")], &examples);
            add_refusals(operation);
        }
    }
    let components = document.components.get_or_insert_default();
    let schemes = [
        (
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        ),
        (
            "password",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
        ),
        (
            "token",
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description(
                "token",
                "The key, where no header can be sent.",
            ))),
        ),
        (
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "comfy_session",
                "What a browser was given when it opened a page with the key.",
            ))),
        ),
    ];
    let mut requirements = vec![SecurityRequirement::default()];
    for (name, scheme) in schemes {
        let scheme = RefOr::T(scheme);
        components.security_schemes.insert(name.to_owned(), scheme);
        requirements.push(SecurityRequirement::new(name, std::iter::empty::<&str>()));
    }
    document.security = Some(requirements);
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("get", &mut item.get),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
        ("put", &mut item.put),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Puts the examples where none is.
fn illustrate(operation: &mut Operation, own: &Json, all: &Json) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && let Some(RefOr::T(content)) = body.content.get_mut("application/json")
        && content.example.is_none()
    {
        content.example = own.get("body").cloned();
    }
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        if let Some(RefOr::T(content)) = response.content.get_mut("application/json")
            && content.example.is_none()
            && content.examples.is_empty()
        {
            let of_schema = || all.get(format!("schema {}", schema_name(content)?));
            content.example = own.get(status.as_str()).or_else(of_schema).cloned();
        }
    }
}

/// The name of the schema that a content refers to.
fn schema_name(content: &Content) -> Option<&str> {
    match content.schema.as_ref()? {
        RefOr::Ref(reference) => reference.ref_location.rsplit('/').next(),
        RefOr::T(_) => None,
    }
}

fn add_refusals(operation: &mut Operation) {
    let empty = |description: &str| ResponseBuilder::new().description(description).build();
    let mut key: Response = empty("The server has a key and the request does not show it.");
    key.content.insert(
        "text/plain".to_owned(),
        RefOr::T(Content::new(Some(String::schema()))),
    );
    let page = empty(
        "A page of another site asked, or the host is not one of this server. Pages can be let in with `--enable-cors-header`, hosts with `--external-address`.",
    );
    let responses = &mut operation.responses.responses;
    for (status, response) in [("401", key), ("403", page)] {
        responses
            .entry(status.to_owned())
            .or_insert(RefOr::T(response));
    }
}
