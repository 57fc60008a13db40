//! What the nodes that read a file of the input directory have in common.

use std::fmt::Write;
use std::io::Read;
use std::path::{Path, PathBuf};

use comfy_graph::{Constants, Json, NodeError, Services};
use sha2::{Digest, Sha256};

use crate::errors::{from_folders, from_reading};
use crate::folders::{DirectoryKind, Folders};
use crate::pictures::{Picture, ReadError, ReadLimits, read};
use crate::runtime::Runtime;

/// The path of a name that may end in ` [input]`, ` [output]` or ` [temp]`.
pub(super) fn resolve(folders: &Folders, name: &str) -> Result<PathBuf, NodeError> {
    folders
        .resolve_annotated(name, DirectoryKind::Input)
        .map_err(from_folders)
}

/// Reads the picture of this name.
pub(super) fn picture(folders: &Folders, name: &str) -> Result<Picture, NodeError> {
    let path = resolve(folders, name)?;
    read(&path, &ReadLimits::default()).map_err(|error| from_reading(name, &error))
}

/// The hash of the file that `input` names.
pub(super) fn fingerprint(
    constants: &Constants<'_>,
    services: &Services,
    input: &str,
) -> Result<Json, NodeError> {
    let name: String = constants
        .get(input)
        .ok_or_else(|| NodeError::value("the name of the file is not known before the run"))?;
    let runtime = services
        .get::<Runtime>()
        .ok_or_else(|| NodeError::runtime("there are no folders to look for files in"))?;
    let path = resolve(runtime.folders(), &name)?;
    hash_of(&path)
        .map(Json::from)
        .map_err(|source| from_reading(&name, &ReadError::Io { path, source }))
}

/// Whether the file that `input` names is there; the error calls it a `kind` file.
pub(super) fn check(
    constants: &Constants<'_>,
    services: &Services,
    input: &str,
    kind: &str,
) -> Result<(), String> {
    let (Some(name), Some(runtime)) = (constants.get::<String>(input), services.get::<Runtime>())
    else {
        return Ok(());
    };
    match runtime
        .folders()
        .resolve_annotated(&name, DirectoryKind::Input)
    {
        Ok(path) if path.is_file() => Ok(()),
        _ => Err(format!("Invalid {kind} file: {name}")),
    }
}

/// The SHA-256 of a file, in hexadecimal.
fn hash_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
