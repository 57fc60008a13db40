//! Listing the files of a model folder, with a cache that notices changes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::table::ModelFolder;

/// A walk gives up below this depth and beyond this many entries: no collection of models is that large, but a link to the
/// root of a disk is.
const DEEPEST: usize = 64;
const MOST_ENTRIES: usize = 1_000_000;

/// Two changes within this time can leave a directory with the same time stamp, so a listing that young is not believed.
const SETTLING: Duration = Duration::from_millis(2500);

/// The result of a walk.
#[derive(Debug)]
pub(super) struct Listing {
    /// Paths relative to their directory, sorted by code point, each once.
    pub(super) files: Vec<String>,
    /// Every directory that was walked, with the time of its last change.
    visited: Vec<(PathBuf, SystemTime)>,
    /// When the walk began.
    taken: SystemTime,
}

impl Listing {
    /// Walks the directories of a model folder.
    pub(super) fn walk(folder: &ModelFolder) -> Self {
        let mut walk = Walk {
            folder,
            files: Vec::new(),
            visited: Vec::new(),
            entries: 0,
        };
        let taken = SystemTime::now();
        for directory in &folder.directories {
            walk.directory(directory, directory, &mut Vec::new());
        }
        let Walk {
            mut files, visited, ..
        } = walk;
        files.sort_unstable();
        files.dedup();
        Self {
            files,
            visited,
            taken,
        }
    }

    /// Whether a new walk would give the same.
    pub(super) fn is_current(&self, folder: &ModelFolder) -> bool {
        let known: HashSet<&Path> = self
            .visited
            .iter()
            .map(|(path, _)| path.as_path())
            .collect();
        folder
            .directories
            .iter()
            .all(|directory| known.contains(directory.as_path()) || !directory.is_dir())
            && self.visited.iter().all(|(path, changed)| {
                changed_at(path) == Some(*changed)
                    && self
                        .taken
                        .duration_since(*changed)
                        .is_ok_and(|age| age > SETTLING)
            })
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

struct Walk<'a> {
    folder: &'a ModelFolder,
    files: Vec<String>,
    visited: Vec<(PathBuf, SystemTime)>,
    entries: usize,
}

impl Walk<'_> {
    /// Links are followed; `above` holds the real paths of the directories we are in, so that a link to one of them ends
    /// the walk instead of going round.
    fn directory(&mut self, root: &Path, path: &Path, above: &mut Vec<PathBuf>) {
        let (Ok(real), Some(changed), Ok(entries)) = (
            path.canonicalize(),
            changed_at(path),
            std::fs::read_dir(path),
        ) else {
            return;
        };
        if above.contains(&real) || above.len() >= DEEPEST {
            return;
        }
        self.visited.push((path.to_path_buf(), changed));
        above.push(real);
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries > MOST_ENTRIES {
                tracing::warn!(directory = %root.display(), "more than {MOST_ENTRIES} entries, the rest is left out");
                break;
            }
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != ".git" {
                    self.directory(root, &path, above);
                }
            } else if self.folder.filter.accepts(&name)
                && let Ok(relative) = path.strip_prefix(root)
            {
                self.files.push(relative.to_string_lossy().into_owned());
            }
        }
        above.pop();
    }
}

/// Endings that the usual tables of media types call pictures, lower case.
const PICTURE_EXTENSIONS: [&str; 24] = [
    "avif", "bmp", "gif", "heic", "heif", "ico", "ief", "jpe", "jpeg", "jpg", "jxl", "pbm", "pgm",
    "png", "pnm", "ppm", "ras", "rgb", "svg", "tif", "tiff", "webp", "xbm", "xpm",
];

/// Whether the usual tables of media types call a file of this name a picture.
pub(super) fn is_picture(name: &str) -> bool {
    extension_of(name).is_some_and(|extension| PICTURE_EXTENSIONS.contains(&extension.as_str()))
}

fn extension_of(name: &str) -> Option<String> {
    let extension = Path::new(name).extension()?;
    Some(extension.to_string_lossy().to_lowercase())
}

/// Names of the files directly in `directory` that are wanted, sorted by code point; a directory that cannot be read has none.
pub(super) fn files_in(directory: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| is_wanted(name))
        .collect();
    names.sort_unstable();
    names
}
