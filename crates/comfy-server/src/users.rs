//! What people keep on the server: who they are, their settings, their files.
//!
//! Everything lies below the user directory, a folder for each user. Without `--multi-user` there is one, named `default`.

pub(crate) mod files;
mod settings;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::HeaderMap;
use comfy_nodes::folders::{Folders, contained};
use indexmap::IndexMap;
use parking_lot::Mutex;
use uuid::Uuid;

use crate::whole_file;

/// The user when there is only one.
const DEFAULT_USER: &str = "default";
/// Ids that begin like this belong to the system; nobody can be called so.
const SYSTEM_PREFIX: &str = "__";
const USERS_FILE: &str = "users.json";
/// Larger files of users or settings are not read.
const LARGEST_FILE: u64 = 16 << 20;

/// Why somebody cannot be a user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// The header names nobody.
    #[error("Unknown user: {0}")]
    Unknown(String),
    /// The name is taken.
    #[error("Duplicate username.")]
    Duplicate,
    /// There is no name.
    #[error("username not provided")]
    Empty,
    /// The name is the system's.
    #[error("System User prefix not allowed")]
    System,
    /// The file of users or settings cannot be read or written.
    #[error("{} cannot be used: {source}", .path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// All users.
#[derive(Debug)]
pub(crate) struct Users {
    folders: Arc<Folders>,
    is_multiple: bool,
    /// Held while a file of users or settings is read, changed and written.
    changing: Mutex<()>,
}

impl Users {
    /// Users below the user directory; many of them, or one.
    pub(crate) fn new(folders: Arc<Folders>, is_multiple: bool) -> Self {
        Self {
            folders,
            is_multiple,
            changing: Mutex::new(()),
        }
    }

    /// Whether there may be many.
    pub(crate) fn is_multiple(&self) -> bool {
        self.is_multiple
    }

    /// Ids with names.
    pub(crate) fn all(&self) -> Result<IndexMap<String, String>, UserError> {
        let path = self.folders.user_dir().join(USERS_FILE);
        read_json(&path).map_err(|source| UserError::Storage { path, source })
    }

    /// Adds somebody and gives the id.
    pub(crate) fn add(&self, name: &str) -> Result<String, UserError> {
        let _one_at_a_time = self.changing.lock();
        let mut all = self.all()?;
        let is_default = !self.is_multiple && name == DEFAULT_USER;
        if is_default || all.values().any(|known| known == name) {
            return Err(UserError::Duplicate);
        }
        let name = name.trim();
        if name.is_empty() {
            return Err(UserError::Empty);
        }
        let id = format!("{}_{}", plain(name), Uuid::new_v4());
        if name.starts_with(SYSTEM_PREFIX) || id.starts_with(SYSTEM_PREFIX) {
            return Err(UserError::System);
        }
        all.insert(id.clone(), name.to_owned());
        let path = self.folders.user_dir().join(USERS_FILE);
        let text = comfy_graph::python_json::to_string(&serde_json::json!(all));
        whole_file::write(&path, text.as_bytes(), true)
            .map_err(|source| UserError::Storage { path, source })?;
        Ok(id)
    }

    /// Who sent a request.
    pub(crate) fn of_request(&self, headers: &HeaderMap) -> Result<User, UserError> {
        let named = headers
            .get("comfy-user")
            .filter(|_| self.is_multiple)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let id = match named {
            None if !self.is_multiple => DEFAULT_USER.to_owned(),
            None => return Err(UserError::Unknown(DEFAULT_USER.to_owned())),
            Some(id) if id.starts_with(SYSTEM_PREFIX) || !self.all()?.contains_key(&id) => {
                return Err(UserError::Unknown(id));
            }
            Some(id) => id,
        };
        // The file of users may have been written by hand.
        let Ok(root) = contained(self.folders.user_dir(), Path::new(&id)) else {
            return Err(UserError::Unknown(id));
        };
        if root == self.folders.user_dir() {
            return Err(UserError::Unknown(id));
        }
        Ok(User { root })
    }
}

/// One user.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The folder of all that the user keeps; it need not exist yet.
    root: PathBuf,
}

impl User {
    /// Whether the user has kept anything yet.
    pub(crate) fn has_folder(&self) -> bool {
        self.root.exists()
    }

    /// The path of a name below the user's folder; `None` when it leads outside.
    pub(crate) fn resolve(&self, name: &str) -> Option<PathBuf> {
        contained(&self.root, Path::new(name)).ok()
    }
}

/// A name as a part of an id: runs of anything but letters, digits, `-` and `_` become one `-`.
fn plain(name: &str) -> String {
    let mut id = String::new();
    let mut in_run = false;
    for character in name.chars() {
        let is_plain = character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
        if is_plain {
            id.push(character);
        } else if !in_run {
            id.push('-');
        }
        in_run = !is_plain;
    }
    id
}

/// The JSON object in a file; empty when there is no file.
fn read_json<T: serde::de::DeserializeOwned + Default>(path: &Path) -> io::Result<T> {
    use io::Read as _;

    let file = match std::fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(T::default()),
        opened => opened?,
    };
    let mut text = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        let reason = format!("expected at most {LARGEST_FILE} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    serde_json::from_slice(&text).map_err(io::Error::from)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests;
