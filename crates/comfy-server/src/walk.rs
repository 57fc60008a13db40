//! Looking at everything below a folder.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Folders are not followed deeper; a loop of links must end.
pub(crate) const DEEPEST: usize = 64;

/// What to do after an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Go on, into it if it is a folder.
    Enter,
    /// Go on with the next.
    Skip,
    /// Look at nothing more.
    Stop,
}

/// Shows `visit` everything in a folder and, `depth` levels deep, below it. Links are followed. Entries that vanish meanwhile, and folders
/// below that cannot be read, are left out. Blocks.
pub(crate) fn walk(
    folder: &Path,
    depth: usize,
    visit: &mut dyn FnMut(&Path, &Metadata) -> Next,
) -> io::Result<()> {
    let mut waiting = vec![(sorted(folder)?, depth)];
    while let Some((entries, depth)) = waiting.pop() {
        for path in entries {
            let Ok(metadata) = path.metadata() else {
                continue;
            };
            let next = visit(&path, &metadata);
            if next == Next::Stop {
                return Ok(());
            }
            if next == Next::Enter && metadata.is_dir() && depth > 0 {
                waiting.extend(sorted(&path).ok().map(|inner| (inner, depth - 1)));
            }
        }
    }
    Ok(())
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    Ok(entries)
}

/// The path below `folder`, with `/` between its parts.
pub(crate) fn relative(path: &Path, folder: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// The time of the last change, in seconds since 1970.
pub(crate) fn modified(metadata: &Metadata) -> f64 {
    seconds(metadata.modified().ok())
}

/// What Python calls the time of creation, in seconds since 1970: that of the last change of data or name.
#[cfg(unix)]
pub(crate) fn created(metadata: &Metadata) -> f64 {
    use std::os::unix::fs::MetadataExt as _;

    metadata.ctime() as f64 + metadata.ctime_nsec() as f64 / 1e9
}

/// What Python calls the time of creation, in seconds since 1970.
#[cfg(not(unix))]
pub(crate) fn created(metadata: &Metadata) -> f64 {
    seconds(metadata.created().ok())
}

fn seconds(time: Option<SystemTime>) -> f64 {
    time.and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0.0, |time| time.as_secs_f64())
}
