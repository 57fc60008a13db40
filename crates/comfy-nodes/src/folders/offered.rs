//! Models that a program brings along.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::FolderError;

/// A model file that is offered while its folder has no other. It is written to the disk when it is first used.
#[derive(Debug, Clone, Copy)]
pub struct OfferedModel {
    /// Key of the model folder, such as `checkpoints`.
    pub folder: &'static str,
    /// The name it is listed under.
    pub name: &'static str,
    /// Writes what the file holds.
    pub write: fn(&mut dyn Write) -> io::Result<()>,
}

impl OfferedModel {
    /// Makes the file in `directory` and gives its path. A file of that name is left as it is; half a file is never seen.
    pub(super) fn place(&self, directory: &Path) -> Result<PathBuf, FolderError> {
        let path = directory.join(self.name);
        let written = || {
            std::fs::create_dir_all(directory)?;
            let mut builder = tempfile::Builder::new();
            builder.prefix(".offered-").suffix(".part");
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
            let mut file = builder.tempfile_in(directory)?;
            (self.write)(&mut file)?;
            match file.persist_noclobber(&path) {
                // Somebody else was faster.
                Err(failed) if path.is_file() => drop(failed),
                outcome => drop(outcome?),
            }
            tracing::info!(path = %path.display(), "the model that comes with this program was unpacked");
            Ok(())
        };
        if !path.is_file() {
            written().map_err(FolderError::io("unpacking the model", &path))?;
        }
        Ok(path)
    }
}
