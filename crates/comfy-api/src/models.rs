//! `/experiment/models`: model files with what the front end's model library shows of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A kind of model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelKind {
    /// Its key, such as `checkpoints`.
    pub name: String,
    /// The directories that are looked into.
    pub folders: Vec<String>,
}

/// A model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelFile {
    /// Its path below the directory, with `/` between parts.
    pub name: String,
    /// Which of the kind's directories it is in.
    #[serde(rename = "pathIndex")]
    pub path_index: usize,
    /// Seconds since 1970.
    pub modified: f64,
    /// Seconds since 1970: the time of the last change of data or name on Unix, of making elsewhere.
    pub created: f64,
    /// In bytes.
    pub size: u64,
}
