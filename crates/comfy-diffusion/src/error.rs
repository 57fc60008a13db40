//! What can go wrong in this crate, with the file, the tensor and the shapes that a reader needs to act on it.

use std::path::PathBuf;

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened, measured or mapped.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is something else than a file of weights.
    #[error("{} is no file of weights that is known here: {reason}", path.display())]
    NotSafetensors {
        /// The file.
        path: PathBuf,
        /// What was seen, and what it looks like.
        reason: String,
    },
    /// The file contradicts itself or its length.
    #[error("{} is damaged: {reason}", path.display())]
    DamagedWeights {
        /// The file.
        path: PathBuf,
        /// Which statement of the file cannot be true, and why.
        reason: String,
    },
    /// A pickled file wants to use something that weights have no need of. Nothing of it was run.
    #[error("{} is a Python pickle that asks for `{name}`, which weights have no need of; it may be harmful and is not read", path.display())]
    RefusedPickle {
        /// The file.
        path: PathBuf,
        /// The name, with its module.
        name: String,
    },
    /// A tensor has values that are not numbers.
    #[error("tensor `{name}` of {} has values that are not numbers; the file is damaged or was saved wrongly", path.display())]
    NotNumbers {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
    },
    /// A tensor that the model needs is not in the file.
    #[error("{} has no tensor `{name}`{nearby}", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
        /// Text about what is there instead; empty, or starting with a separator.
        nearby: String,
    },
    /// A tensor has another shape than the rest of the model asks for.
    #[error("tensor `{name}` of {} has shape {found:?}, expected {expected}", path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
        /// The shape, or the rule for it, in words.
        expected: String,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor's element type cannot be turned into numbers here.
    #[error("tensor `{name}` of {} has elements of type {element}, which cannot be read as numbers", path.display())]
    TensorElement {
        /// The file.
        path: PathBuf,
        /// The tensor's full name.
        name: String,
        /// The element type as the file names it.
        element: String,
    },
    /// No known model has these tensors.
    #[error("cannot tell which model {} holds: {reason}", path.display())]
    UnknownModel {
        /// The file.
        path: PathBuf,
        /// What was looked for and what was found.
        reason: String,
    },
    /// An argument is outside of what a function takes.
    #[error("{0}")]
    Input(String),
    /// A compute device could not be found or opened, or failed its self-test.
    #[error("{0}")]
    Device(String),
    /// The device's memory does not suffice.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// A computation gave a value that is not a number.
    #[error("{what} gave values that are not finite numbers (computed as {dtype})")]
    NotFinite {
        /// The computation.
        what: String,
        /// The element type it ran in.
        dtype: String,
    },
    /// The caller asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// An [`Error::Input`] with this text.
    pub fn input(text: impl Into<String>) -> Self {
        Self::Input(text.into())
    }
}
