//! What happens to every request and answer, whatever the route.
//!
//! From the outside in: cache headers, compression, the check of origins, the key, the limits on bodies.

mod body_limit;
mod cache;
mod compression;
mod key;
mod origin;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::config::Config;
use body_limit::Limits;
use key::Lock;
use origin::Site;

/// Puts everything around the routes, those that do not exist included. `is_local` tells whether only this machine reaches the server.
pub(crate) fn wrap(router: Router, config: &Config, is_local: bool) -> Router {
    // The router's own limit is for routes that have none; ours follows the settings.
    let router = router.layer(DefaultBodyLimit::disable());
    let limits = Limits {
        size: config.max_upload_size,
        patience: config.patience,
    };
    let router = router.layer(from_fn_with_state(limits, body_limit::limit));
    let router = match &config.api_key {
        Some(key) => {
            let lock = Lock {
                key: key.clone(),
                is_secure: config.tls.is_some(),
            };
            router.layer(from_fn_with_state(lock, key::check))
        }
        None => router,
    };
    let router = if let Some(allowed) = &config.cors_origin {
        router.layer(from_fn_with_state(
            origin::CorsHeaders::new(allowed),
            origin::allow,
        ))
    } else {
        let site = Site {
            is_local,
            has_key: config.api_key.is_some(),
            names: names(config),
        };
        router.layer(from_fn_with_state(site, origin::check))
    };
    let router = if config.compress_responses {
        router.layer(compression::layer())
    } else {
        router
    };
    router.layer(from_fn(cache::headers))
}

/// The names under which clients reach the server as its settings have them.
fn names(config: &Config) -> Arc<[String]> {
    let external = config.external_address.iter().map(|address| {
        let (_, bare) = address.split_once("://").unwrap_or(("", address));
        let authority = bare.split('/').next().unwrap_or_default();
        let name = authority.rsplit_once(':').filter(|(name, port)| {
            port.chars().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':')
        });
        name.map_or(authority, |(name, _)| name)
    });
    let listen = config.listen.iter().map(String::as_str);
    external
        .chain(listen)
        .map(str::to_ascii_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_settings() {
        let config = |external: &str| Config {
            external_address: Some(external.to_owned()),
            listen: vec!["Studio.lan".to_owned()],
            ..Config::default()
        };
        for (external, name) in [
            ("https://Comfy.example/ui", "comfy.example"),
            ("comfy.example:8188", "comfy.example"),
            ("http://[2001:db8::1]:80/", "[2001:db8::1]"),
            ("[2001:db8::1]", "[2001:db8::1]"),
        ] {
            let names = names(&config(external));
            assert_eq!(*names, [name.to_owned(), "studio.lan".to_owned()]);
        }
    }
}
