//! `GET /global_subgraphs` and `GET /node_replacements`: what the front end offers besides node classes.

use std::path::{Path, PathBuf};

use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use comfy_api::subgraphs::{Subgraph, SubgraphInfo, SubgraphSource};
use comfy_nodes::folders::contained;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::on_thread;
use crate::error::ApiResult;
use crate::reply;
use crate::state::AppState;
use crate::walk::{self, Next};

/// The largest file that is sent.
const MOST_BYTES: u64 = 16 << 20;
/// No list is longer.
const MOST_SUBGRAPHS: usize = 10_000;

/// Subgraphs that can be put into any workflow.
///
/// Those in `blueprints/*.json` of the base directory, and in `custom_nodes/*/subgraphs/*.json`: files that packages of nodes bring,
/// of which nothing else is used.
#[utoipa::path(
    get, path = "/global_subgraphs", operation_id = "get_global_subgraphs", tag = "ui",
    responses((status = 200, description = "Id → where it comes from and its name.", body = std::collections::BTreeMap<String, Subgraph>,
        example = json!({"5f1c": {"source": "custom_node", "name": "Upscale twice", "info": {"node_pack": "custom_nodes.my-pack"}}}))),
)]
pub(super) async fn get_global_subgraphs(State(state): State<AppState>) -> ApiResult {
    let found = on_thread(move || {
        let files = files(&state).into_iter();
        let described = files.map(|file| (file.id(), file.describe()));
        described.collect::<IndexMap<String, Subgraph>>()
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &found))
}

/// One of these subgraphs, with the workflow that holds it.
#[utoipa::path(
    get, path = "/global_subgraphs/{id}", operation_id = "get_global_subgraph", tag = "ui",
    params(("id" = String, Path, description = "Its id in the list.")),
    responses((status = 200, description = "The subgraph, or null if there is none with this id.", body = Option<Subgraph>)),
)]
pub(super) async fn get_global_subgraph(
    State(state): State<AppState>,
    UrlPath(id): UrlPath<String>,
) -> ApiResult {
    let found = on_thread(move || {
        let file = files(&state).into_iter().find(|file| file.id() == id)?;
        let data = file.read()?;
        Some(Subgraph {
            data: Some(data),
            ..file.describe()
        })
    })
    .await?;
    Ok(reply::json(StatusCode::OK, &found))
}

/// Node classes that take the place of others in old workflows.
///
/// Packages of Python nodes name them; none is ever loaded.
#[utoipa::path(
    get, path = "/node_replacements", operation_id = "get_node_replacements", tag = "ui",
    responses((status = 200, description = "Old class → new classes.", body = Map<String, Json>, example = json!({}))),
)]
pub(super) async fn get_node_replacements() -> ApiResult {
    Ok(reply::json(StatusCode::OK, &Map::new()))
}

/// A file with a subgraph.
struct File {
    path: PathBuf,
    source: SubgraphSource,
    pack: String,
}

impl File {
    /// The same as long as the file stays where it is.
    fn id(&self) -> String {
        let source = match self.source {
            SubgraphSource::CustomNode => "custom_node",
            SubgraphSource::Templates => "templates",
        };
        let path = self.path.to_string_lossy().replace('\\', "/");
        let digest = Sha256::digest(format!("{source}{path}"));
        digest
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    fn describe(&self) -> Subgraph {
        let name = self.path.file_stem().unwrap_or_default();
        Subgraph {
            source: self.source,
            name: name.to_string_lossy().into_owned(),
            info: SubgraphInfo {
                node_pack: self.pack.clone(),
            },
            data: None,
        }
    }

    fn read(&self) -> Option<String> {
        let length = self.path.metadata().ok()?.len();
        if length > MOST_BYTES {
            tracing::warn!(file = %self.path.display(), length, "a subgraph is too large and was not sent");
            return None;
        }
        std::fs::read_to_string(&self.path).ok()
    }
}

fn files(state: &AppState) -> Vec<File> {
    let folders = state.folders();
    let blueprints = folders.base_dir().join("blueprints");
    let mut found: Vec<File> = json_files(&blueprints)
        .map(|path| File {
            path,
            source: SubgraphSource::Templates,
            pack: "comfyui".to_owned(),
        })
        .collect();
    let custom = folders.model_folder("custom_nodes");
    for directory in custom.into_iter().flat_map(|folder| &folder.directories) {
        for pack in entries(directory) {
            let name = pack.file_name().unwrap_or_default().to_string_lossy();
            let pack_name = format!("custom_nodes.{name}");
            found.extend(json_files(&pack.join("subgraphs")).map(|path| File {
                path,
                source: SubgraphSource::CustomNode,
                pack: pack_name.clone(),
            }));
        }
    }
    found.truncate(MOST_SUBGRAPHS);
    found
}

/// The JSON files in a folder that do not lie elsewhere.
fn json_files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let root = folder.to_owned();
    entries(folder).into_iter().filter(move |path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
            && path.is_file()
            && path
                .file_name()
                .is_some_and(|name| contained(&root, Path::new(name)).is_ok())
    })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let walked = walk::walk(folder, 0, &mut |path, _| {
        found.push(path.to_owned());
        if found.len() < MOST_SUBGRAPHS {
            Next::Skip
        } else {
            Next::Stop
        }
    });
    if let Err(error) = walked {
        tracing::debug!(%error, folder = %folder.display(), "no subgraphs are here");
    }
    found
}
