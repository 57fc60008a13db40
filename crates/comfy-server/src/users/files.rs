//! A user's files, workflows above all.

use std::io;
use std::path::{Path, PathBuf};

use comfy_api::users::{EntryKind, UserEntry, UserFile};

use super::User;
use crate::walk::{self, DEEPEST, Next, relative};
use crate::whole_file;

/// No list is longer.
const MOST_ENTRIES: usize = 100_000;

/// Why a file was not written or moved.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// There is one, and it was not to be replaced.
    Exists,
    /// The source of a move does not exist.
    Missing,
    /// The system refused.
    Io(io::Error),
}

impl From<io::Error> for WriteError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists,
            io::ErrorKind::NotFound => Self::Missing,
            _ => Self::Io(error),
        }
    }
}

impl User {
    /// Information on the file at a path of this user.
    pub(crate) fn info(&self, path: &Path) -> io::Result<UserFile> {
        info(path, &self.root)
    }

    /// The path as clients name it.
    pub(crate) fn name_of(&self, path: &Path) -> String {
        relative(path, &self.root)
    }

    /// Everything below a folder of this user: folders first, then by name whatever the case.
    pub(crate) fn entries(&self, folder: &Path) -> io::Result<Vec<UserEntry>> {
        let mut entries: Vec<UserEntry> = Vec::new();
        walk::walk(folder, DEEPEST, &mut |path, metadata| {
            let is_file = !metadata.is_dir();
            entries.push(UserEntry {
                name: last_part(path),
                path: relative(path, &self.root),
                r#type: if is_file {
                    EntryKind::File
                } else {
                    EntryKind::Directory
                },
                size: is_file.then_some(metadata.len()),
                modified: is_file.then(|| walk::modified(metadata)),
            });
            next(entries.len())
        })?;
        entries.sort_by_cached_key(|entry| (entry.r#type, entry.name.to_lowercase()));
        Ok(entries)
    }
}

/// The files in a folder, with those below it if `recurse`; hidden ones are left out, as a shell's `*` does.
pub(crate) fn list(folder: &Path, recurse: bool) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let depth = if recurse { DEEPEST } else { 0 };
    walk::walk(folder, depth, &mut |path, metadata| {
        let is_hidden = relative(path, folder)
            .split('/')
            .any(|part| part.starts_with('.'));
        if metadata.is_file() && !is_hidden {
            files.push(path.to_owned());
        }
        next(files.len())
    })?;
    files.sort();
    Ok(files)
}

/// Size and times of a file, with its path relative to `folder`.
pub(crate) fn info(path: &Path, folder: &Path) -> io::Result<UserFile> {
    let metadata = path.metadata()?;
    Ok(UserFile {
        path: relative(path, folder),
        size: metadata.len(),
        modified: walk::modified(&metadata),
        created: walk::created(&metadata),
    })
}

/// Writes a file and the folders that lead to it.
pub(crate) fn write(path: &Path, content: &[u8], overwrite: bool) -> Result<(), WriteError> {
    if !overwrite && path.exists() {
        return Err(WriteError::Exists);
    }
    Ok(whole_file::write(path, content, overwrite)?)
}

/// Moves a file.
pub(crate) fn move_file(from: &Path, to: &Path, overwrite: bool) -> Result<(), WriteError> {
    if !from.exists() {
        return Err(WriteError::Missing);
    }
    if !overwrite && to.exists() {
        return Err(WriteError::Exists);
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::rename(from, to)?)
}

fn last_part(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn next(found: usize) -> Next {
    if found < MOST_ENTRIES {
        Next::Enter
    } else {
        Next::Stop
    }
}
