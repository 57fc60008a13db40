//! Files that come in as parts of a form: received into the temp directory first, then moved to their place, so that nothing
//! is ever half-written there.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use comfy_nodes::folders::{DirectoryKind, FolderError, Folders};
use tempfile::NamedTempFile;
use tokio::io::AsyncWriteExt;

use crate::body::{self, BodyLimit};
use crate::error::ApiError;
use crate::whole_file::{persist, temporary};

/// Names that are tried when a file of another content has the one that was asked for.
const NAME_LIMIT: u32 = 10_000;
/// Bytes a text field of a form may have, unless it is a prompt.
pub(crate) const FIELD_LIMIT: usize = 64 << 10;

/// A multipart form, and the limit that cuts it off.
pub(crate) struct Form {
    multipart: Multipart,
    limit: Option<BodyLimit>,
}

impl Form {
    /// Opens the form in a request. The media type may be written `multipart/formdata`, as the first contract had it.
    pub(crate) async fn open(mut request: Request) -> Result<Self, ApiError> {
        let limit = request.extensions().get::<BodyLimit>().copied();
        let media_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let corrected = media_type
            .split_once(';')
            .filter(|(essence, _)| essence.trim().eq_ignore_ascii_case("multipart/formdata"));
        if let Some(Ok(corrected)) =
            corrected.map(|(_, rest)| HeaderValue::from_str(&format!("multipart/form-data;{rest}")))
        {
            request
                .headers_mut()
                .insert(header::CONTENT_TYPE, corrected);
        }
        match Multipart::from_request(request, &()).await {
            Ok(multipart) => Ok(Self { multipart, limit }),
            Err(rejection) => {
                tracing::debug!(%rejection, "a form could not be opened");
                Err(ApiError::Status(StatusCode::BAD_REQUEST))
            }
        }
    }

    /// The next part.
    pub(crate) async fn next(&mut self) -> Result<Option<Field<'_>>, ApiError> {
        let limit = self.limit;
        self.multipart
            .next_field()
            .await
            .map_err(|error| Self::failure(&error, limit))
    }

    fn failure(error: &MultipartError, limit: Option<BodyLimit>) -> ApiError {
        body::failure(error, limit)
    }
}

/// The text of a field of at most `limit` bytes.
pub(crate) async fn text(
    mut field: Field<'_>,
    limit: usize,
    body_limit: Option<BodyLimit>,
) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field
        .chunk()
        .await
        .map_err(|error| Form::failure(&error, body_limit))?
    {
        if bytes.len() + chunk.len() > limit {
            return Err(ApiError::BadRequest(format!(
                "expected a field of at most {limit} bytes"
            )));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes)
        .map_err(|_| ApiError::BadRequest("expected UTF-8 in a field of the form".to_owned()))
}

/// A file that has been received and has no place yet. Dropping it deletes it.
#[derive(Debug)]
pub(crate) struct Received {
    file: NamedTempFile,
    /// The name its part gave.
    pub(crate) name: String,
}

impl Received {
    /// Receives the content of a part.
    pub(crate) async fn from_part(
        mut field: Field<'_>,
        name: String,
        folders: &Folders,
        limit: Option<BodyLimit>,
    ) -> Result<Self, ApiError> {
        let file = temporary(folders.temp_dir()).map_err(ApiError::Storage)?;
        let mut writer =
            tokio::fs::File::from_std(file.as_file().try_clone().map_err(ApiError::Storage)?);
        while let Some(chunk) = field
            .chunk()
            .await
            .map_err(|error| Form::failure(&error, limit))?
        {
            writer.write_all(&chunk).await.map_err(ApiError::Storage)?;
        }
        writer.flush().await.map_err(ApiError::Storage)?;
        Ok(Self { file, name })
    }

    /// Where the content is now.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Puts another content in the place of what came. Blocks.
    pub(crate) fn replace_content(&mut self, content: &[u8]) -> Result<(), ApiError> {
        std::fs::write(self.file.path(), content).map_err(ApiError::Storage)
    }

    /// Moves the file to its place. Blocks.
    ///
    /// Without `overwrite` a file of another content is never replaced: ` (1)`, ` (2)`, … is put before the extension. A file
    /// of the same content is taken for this one. The name it got is returned, relative to the folder.
    pub(crate) fn place(
        self,
        folders: &Folders,
        kind: DirectoryKind,
        subfolder: &str,
        overwrite: bool,
    ) -> Result<String, ApiError> {
        let resolve = |name: &str| {
            let folder = folders
                .resolve(kind.as_str(), subfolder, "")
                .map_err(|error| refused(&error))?;
            let path = folders
                .resolve(kind.as_str(), subfolder, name)
                .map_err(|error| refused(&error))?;
            let is_below = path != folder && path.starts_with(&folder);
            if is_below {
                Ok(path)
            } else {
                Err(ApiError::Status(StatusCode::BAD_REQUEST))
            }
        };
        let mut path = resolve(&self.name)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(storage)?;
        }
        let Self { mut file, name } = self;
        if overwrite {
            persist(file, &path, true).map_err(|(error, _)| storage(error))?;
            return Ok(name);
        }
        let (stem, extension) = split_extension(&name);
        let mut candidate = name.clone();
        for number in 1..=NAME_LIMIT {
            if path.symlink_metadata().is_ok() {
                if has_same_content(&path, file.path()).map_err(storage)? {
                    return Ok(candidate);
                }
            } else {
                match persist(file, &path, false) {
                    Ok(()) => return Ok(candidate),
                    // Somebody was quicker; look at what came.
                    Err((error, Some(back))) if error.kind() == io::ErrorKind::AlreadyExists => {
                        file = back;
                        if has_same_content(&path, file.path()).map_err(storage)? {
                            return Ok(candidate);
                        }
                    }
                    Err((error, _)) => return Err(storage(error)),
                }
            }
            candidate = format!("{stem} ({number}){extension}");
            path = resolve(&candidate)?;
        }
        Err(ApiError::BadRequest(format!(
            "expected a free name, but {NAME_LIMIT} files named like `{name}` exist"
        )))
    }
}

fn refused(error: &FolderError) -> ApiError {
    tracing::debug!(%error, "a file name was refused");
    ApiError::Status(StatusCode::BAD_REQUEST)
}

/// Names that the file system cannot hold are the client's fault; the rest is not.
fn storage(error: io::Error) -> ApiError {
    match error.kind() {
        io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory => {
            ApiError::BadRequest(format!("expected a usable file name: {error}"))
        }
        _ => ApiError::Storage(error),
    }
}

/// Whether two files have the same bytes. ComfyUI compares hashes to the same end.
fn has_same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (metadata, length) = (one.metadata(), other.metadata()?.len());
    if !metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == length) {
        return Ok(false);
    }
    let (mut one, mut other) = (std::fs::File::open(one)?, std::fs::File::open(other)?);
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let read = one.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        match other.read_exact(&mut right[..read]) {
            Ok(()) if left[..read] == right[..read] => {}
            Ok(()) => return Ok(false),
            // One of the files is changing just now.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

/// The name before its last dot, and the rest. Dots at the beginning belong to the name.
fn split_extension(name: &str) -> (&str, &str) {
    let start = name.rfind('/').map_or(0, |separator| separator + 1);
    let leading = name[start..].len() - name[start..].trim_start_matches('.').len();
    match name[start + leading..].rfind('.') {
        Some(dot) => name.split_at(start + leading + dot),
        None => (name, ""),
    }
}

/// The path of an input file that a part asked for by its bare name; directories in the name are dropped.
pub(crate) fn bare_name(name: &str) -> Option<String> {
    let normalised = name.replace('\\', "/");
    let bare = PathBuf::from(normalised).file_name()?.to_str()?.to_owned();
    (!bare.is_empty()).then_some(bare)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use std::io::Write;

    use comfy_nodes::folders::FoldersOptions;

    use super::*;

    fn folders() -> (tempfile::TempDir, Folders) {
        let directory = tempfile::tempdir().unwrap();
        let folders = Folders::new(FoldersOptions {
            base: directory.path().to_owned(),
            ..FoldersOptions::default()
        })
        .unwrap();
        folders.create_all().unwrap();
        (directory, folders)
    }

    fn received(folders: &Folders, name: &str, content: &str) -> Received {
        let mut file = temporary(folders.temp_dir()).unwrap();
        file.write_all(content.as_bytes()).unwrap();
        Received {
            file,
            name: name.to_owned(),
        }
    }

    fn place(
        folders: &Folders,
        name: &str,
        content: &str,
        overwrite: bool,
    ) -> Result<String, ApiError> {
        received(folders, name, content).place(folders, DirectoryKind::Input, "", overwrite)
    }

    #[test]
    fn files_are_never_replaced_unasked() {
        let (_directory, folders) = folders();
        assert_eq!(place(&folders, "a.png", "one", false).unwrap(), "a.png");
        assert_eq!(place(&folders, "a.png", "one", false).unwrap(), "a.png");
        assert_eq!(place(&folders, "a.png", "two", false).unwrap(), "a (1).png");
        assert_eq!(place(&folders, "a.png", "six", false).unwrap(), "a (2).png");
        assert_eq!(place(&folders, "a.png", "two", false).unwrap(), "a (1).png");
        assert_eq!(place(&folders, "a.png", "new", true).unwrap(), "a.png");
        assert_eq!(
            std::fs::read_to_string(folders.input_dir().join("a.png")).unwrap(),
            "new"
        );
        assert_eq!(
            std::fs::read_dir(folders.temp_dir()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    #[test]
    fn names_stay_inside() {
        let (directory, folders) = folders();
        for bad in ["../evil", "/etc/evil", "..", ".", "", "a/../../evil"] {
            assert!(
                matches!(
                    place(&folders, bad, "x", false),
                    Err(ApiError::Status(StatusCode::BAD_REQUEST))
                ),
                "{bad}"
            );
        }
        assert!(matches!(
            place(&folders, &"n".repeat(300), "x", false),
            Err(ApiError::BadRequest(_))
        ));
        assert!(matches!(
            place(&folders, "a\0b", "x", false),
            Err(ApiError::BadRequest(_))
        ));
        let placed = received(&folders, "s.png", "x")
            .place(&folders, DirectoryKind::Output, "a/b", false)
            .unwrap();
        assert_eq!(placed, "s.png");
        assert!(directory.path().join("output/a/b/s.png").is_file());
        assert!(
            received(&folders, "s.png", "x")
                .place(&folders, DirectoryKind::Output, "../x", false)
                .is_err()
        );
        assert!(
            received(&folders, "../s.png", "x")
                .place(&folders, DirectoryKind::Output, "a/b", false)
                .is_err()
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_out_are_not_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let (directory, folders) = folders();
        symlink(
            directory.path().join("secret"),
            folders.input_dir().join("link.png"),
        )
        .unwrap();
        assert!(place(&folders, "link.png", "x", false).is_err());
        assert!(place(&folders, "link.png", "x", true).is_err());
        place(&folders, "plain.png", "x", false).unwrap();
        let mode = folders
            .input_dir()
            .join("plain.png")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o400, 0o400);
        assert_eq!(mode & 0o111, 0);
    }

    #[test]
    fn extensions_are_split_off_the_name() {
        for (name, expected) in [
            ("a.png", ("a", ".png")),
            ("a.b.c", ("a.b", ".c")),
            ("a", ("a", "")),
            (".a", (".a", "")),
            ("x.y/a", ("x.y/a", "")),
        ] {
            assert_eq!(split_extension(name), expected);
        }
    }

    #[test]
    fn bare_names_have_no_directories() {
        assert_eq!(bare_name("../../a.png").as_deref(), Some("a.png"));
        assert_eq!(bare_name("c:\\x\\a.png").as_deref(), Some("a.png"));
        assert_eq!(bare_name(".."), None);
        assert_eq!(bare_name(""), None);
    }
}
