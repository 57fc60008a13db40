//! `GET /extensions`, `/i18n` and `/workflow_templates`: what packages of nodes bring for the front end.

use std::path::{Path, PathBuf};

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Map;

use super::on_thread;
use crate::error::ApiResult;
use crate::loaders;
use crate::reply;
use crate::state::AppState;

/// Directories that are looked into below `extensions`, at most; a loop of links must end.
const DEPTH_LIMIT: usize = 16;

/// The scripts that the front end loads.
///
/// Those below `extensions` of the front end, and one of the server's own where old front ends need it; the built-in page has none.
#[utoipa::path(
    get, path = "/extensions", operation_id = "get_extensions", tag = "ui",
    responses((status = 200, description = "Paths of the scripts: extensions/**/*.js.", body = Vec<String>)),
)]
pub(super) async fn get_extensions(State(state): State<AppState>) -> ApiResult {
    let paths = on_thread(move || {
        let Some(front_end) = state.front_end() else {
            return Vec::new();
        };
        let mut paths = scripts(&front_end.root);
        let is_needed = loaders::are_incomplete(state.registry());
        paths.extend(is_needed.then(|| loaders::ADDRESS.to_owned()));
        paths
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &paths))
}

/// The script that tells old front ends of loaders they take for granted.
pub(super) async fn get_loaders_script() -> Response {
    let script = HeaderValue::from_static("text/javascript; charset=utf-8");
    reply::typed(StatusCode::OK, script, loaders::SCRIPT)
}

/// Translations that packages of custom nodes bring.
#[utoipa::path(
    get, path = "/i18n", operation_id = "get_translations", tag = "ui",
    responses((status = 200, description = "Translations by language; none, since no Python package is ever loaded.", body = Map<String, serde_json::Value>)),
)]
pub(super) async fn get_translations() -> ApiResult {
    Ok(reply::json(StatusCode::OK, &Map::new()))
}

/// Workflow templates that packages of custom nodes bring.
#[utoipa::path(
    get, path = "/workflow_templates", operation_id = "get_workflow_templates", tag = "ui",
    responses((status = 200, description = "Names of templates by package; none, since no Python package is ever loaded.", body = Map<String, serde_json::Value>)),
)]
pub(super) async fn get_workflow_templates() -> ApiResult {
    Ok(reply::json(StatusCode::OK, &Map::new()))
}

/// The scripts as paths in an address, sorted.
fn scripts(front_end: &Path) -> Vec<String> {
    let mut found = Vec::new();
    collect(&front_end.join("extensions"), 0, &mut found);
    let mut paths: Vec<String> = found
        .iter()
        .filter_map(|file| file.strip_prefix(front_end).ok())
        .map(|file| {
            file.components().fold(String::new(), |path, part| {
                path + "/" + &part.as_os_str().to_string_lossy()
            })
        })
        .collect();
    paths.sort();
    paths
}

fn collect(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            if depth < DEPTH_LIMIT {
                collect(&path, depth + 1, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "js") {
            found.push(path);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_found_at_every_depth() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("extensions/core/deep")).unwrap();
        for file in [
            "extensions/b.js",
            "extensions/core/deep/a.js",
            "extensions/core/a.css",
            "other.js",
        ] {
            std::fs::write(root.path().join(file), "").unwrap();
        }
        assert_eq!(
            scripts(root.path()),
            ["/extensions/b.js", "/extensions/core/deep/a.js"]
        );
        assert!(scripts(&root.path().join("nowhere")).is_empty());
    }
}
