//! What happens to every request and answer, whatever the route.
//!
//! From the outside in: cache headers, compression, the check of origins, the limit on bodies.

mod body_limit;
mod cache;
mod compression;
mod origin;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::config::Config;

/// Puts everything around the routes, those that do not exist included.
pub(crate) fn wrap(router: Router, config: &Config) -> Router {
    // The router's own limit is for routes that have none; ours follows the settings.
    let router = router.layer(DefaultBodyLimit::disable());
    let router = router.layer(from_fn_with_state(
        config.max_upload_size,
        body_limit::limit,
    ));
    let router = match &config.cors_origin {
        Some(allowed) => router.layer(from_fn_with_state(
            origin::CorsHeaders::new(allowed),
            origin::allow,
        )),
        None => router.layer(from_fn(origin::check)),
    };
    let router = if config.compress_responses {
        router.layer(compression::layer())
    } else {
        router
    };
    router.layer(from_fn(cache::headers))
}
