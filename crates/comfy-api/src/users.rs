//! `/users`, `/settings`, `/userdata`: what people keep on the server.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer of `GET /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UserStorage {
    /// Where settings are kept: always `server`.
    pub storage: String,
    /// With one user: whether anything has been kept yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub migrated: Option<bool>,
    /// With many users: their names by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::HashMap<String, String>>)]
    pub users: Option<IndexMap<String, String>>,
}

/// Body of `POST /users`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewUser {
    /// The name to show.
    pub username: String,
}

/// A file, as the front end's list of workflows wants it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserFile {
    /// Relative to the folder that was asked for, with `/` between parts.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: f64,
    /// Seconds since 1970: the time of the last change of data or name on Unix, of making elsewhere.
    pub created: f64,
}

/// A file in a list, in the form that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum ListedFile {
    /// Its path below the folder.
    Path(String),
    /// Its path, and then the parts of it.
    Parts(Vec<String>),
    /// Path, size and times.
    Info(UserFile),
}

/// A file or folder of a user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UserEntry {
    /// The last part of the path.
    pub name: String,
    /// Relative to the user's folder, with `/` between parts.
    pub path: String,
    /// What it is.
    pub r#type: EntryKind,
    /// Of a file, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub size: Option<u64>,
    /// Of a file, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub modified: Option<f64>,
}

/// What a [`UserEntry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A folder.
    Directory,
    /// A file.
    File,
}
