//! From the errors of the libraries to those of nodes, with the kinds that clients know from Python.

use comfy_graph::NodeError;

use crate::folders::FolderError;
use crate::pictures::{ReadError, WriteError};
use crate::resize::ResizeError;

/// What a node says when a computation fails.
pub fn from_diffusion(error: comfy_diffusion::Error) -> NodeError {
    use comfy_diffusion::Error;
    match error {
        Error::Interrupted => NodeError::Interrupted,
        Error::OutOfMemory(message) => NodeError::OutOfMemory(message),
        Error::Input(message) => NodeError::value(message),
        Error::Io { ref source, .. } => NodeError::failed(kind_of_io(source), &error),
        other => NodeError::runtime(other),
    }
}

/// What a node says when a name or a directory cannot be used.
pub fn from_folders(error: FolderError) -> NodeError {
    match &error {
        FolderError::ModelNotFound { .. } => NodeError::file_not_found(error),
        FolderError::SaveOutside { .. } => NodeError::failed("Exception", error),
        FolderError::Io { source, .. } => NodeError::failed(kind_of_io(source), &error),
        _ => NodeError::value(error),
    }
}

/// What a node says when the picture `name` cannot be read.
pub fn from_reading(name: &str, error: &ReadError) -> NodeError {
    let message = format!("{name}: {error}");
    match error {
        ReadError::Io { source, .. } => NodeError::failed(kind_of_io(source), message),
        ReadError::UnknownFormat(_) | ReadError::NotRead(_) => {
            NodeError::failed("PIL.UnidentifiedImageError", message)
        }
        ReadError::TooManyPixels { .. }
        | ReadError::TooManyFrames { .. }
        | ReadError::FileTooLarge { .. } => {
            NodeError::failed("PIL.Image.DecompressionBombError", message)
        }
        ReadError::OutOfMemory { .. } => NodeError::OutOfMemory(message),
        ReadError::Broken(_) => NodeError::failed("OSError", message),
    }
}

/// What a node says when a picture cannot be written.
pub fn from_writing(error: WriteError) -> NodeError {
    match &error {
        WriteError::Io { source, .. } => NodeError::failed(kind_of_io(source), &error),
        WriteError::Shape { .. } => NodeError::value(error),
        WriteError::Encoding(_) => NodeError::runtime(error),
    }
}

/// What a node says when a picture cannot be resized.
pub fn from_resizing(error: ResizeError) -> NodeError {
    match error {
        ResizeError::OutOfMemory { .. } => NodeError::OutOfMemory(error.to_string()),
        ResizeError::Shape { .. } => NodeError::value(error),
    }
}

fn kind_of_io(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => "FileNotFoundError",
        std::io::ErrorKind::PermissionDenied => "PermissionError",
        _ => "OSError",
    }
}
