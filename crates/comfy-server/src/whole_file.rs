//! Files that appear at once or not at all.

use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file beside its place and renames it, so that nobody ever sees half of it and what was there stays until the new one is
/// complete. Without `overwrite` an existing file is an error of the kind `AlreadyExists`. Blocks.
pub(crate) fn write(path: &Path, content: &[u8], overwrite: bool) -> io::Result<()> {
    let mut file = temporary(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(content)?;
    persist(file, path, overwrite).map_err(|(error, _)| error)
}

/// A new file that only this process knows, readable like any other once it has its name.
pub(crate) fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    std::fs::create_dir_all(directory)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".incoming-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(directory)
}

/// Renames the file to `path`, by way of a copy beside it if that is on another disk. On failure the file comes back.
pub(crate) fn persist(
    file: NamedTempFile,
    path: &Path,
    overwrite: bool,
) -> Result<(), (io::Error, Option<NamedTempFile>)> {
    let rename = |file: NamedTempFile| {
        if overwrite {
            file.persist(path)
        } else {
            file.persist_noclobber(path)
        }
    };
    let Err(failure) = rename(file) else {
        return Ok(());
    };
    if failure.error.kind() != io::ErrorKind::CrossesDevices {
        return Err((failure.error, Some(failure.file)));
    }
    let copy = || -> io::Result<NamedTempFile> {
        let copy = temporary(path.parent().unwrap_or(Path::new(".")))?;
        std::fs::copy(failure.file.path(), copy.path())?;
        Ok(copy)
    };
    match copy() {
        Err(error) => Err((error, Some(failure.file))),
        Ok(copy) => rename(copy)
            .map(|_| ())
            .map_err(|again| (again.error, Some(again.file))),
    }
}
