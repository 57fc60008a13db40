//! Why a node, an input or a registration fails.

use std::fmt::Display;

/// An input that does not fit its node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// A required input was not given.
    #[error("input {name}: expected {expected}, found nothing")]
    Missing {
        /// The input.
        name: String,
        /// The type of its socket.
        expected: String,
    },
    /// The input got an empty list, so that there is no value for it.
    #[error("list index out of range: input {name} got an empty list")]
    Empty {
        /// The input.
        name: String,
    },
    /// The value is of another type or outside the range of the input's type.
    #[error("input {name}: expected {expected}, found {found}")]
    Unfit {
        /// The input.
        name: String,
        /// The type of its socket.
        expected: String,
        /// What came.
        found: String,
    },
}

/// Why a node stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// An input does not fit.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Somebody asked to stop; not a fault.
    #[error("interrupted")]
    Interrupted,
    /// The device has not enough memory.
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// Anything else.
    #[error("{message}")]
    Failed {
        /// The kind of failure as clients know it (`exception_type`), such as `ValueError`.
        kind: String,
        /// What was expected, what came, and where it was looked for.
        message: String,
    },
}

impl NodeError {
    /// A failure of a given kind.
    pub fn failed(kind: impl Into<String>, message: impl Display) -> Self {
        Self::Failed {
            kind: kind.into(),
            message: message.to_string(),
        }
    }

    /// An input has a value that cannot be used.
    pub fn value(message: impl Display) -> Self {
        Self::failed("ValueError", message)
    }

    /// The work itself failed.
    pub fn runtime(message: impl Display) -> Self {
        Self::failed("RuntimeError", message)
    }

    /// A file that is needed is not there.
    pub fn file_not_found(message: impl Display) -> Self {
        Self::failed("FileNotFoundError", message)
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for NodeError {
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::runtime(error)
    }
}

/// A node class that cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The id is taken.
    #[error("node {id} of {second} is already registered by {first}")]
    Duplicate {
        /// The id.
        id: String,
        /// Who has it.
        first: String,
        /// Who wants it.
        second: String,
    },
    /// Two inputs of a node have the same name.
    #[error("node {id} declares two inputs called {input}")]
    DuplicateInput {
        /// The node.
        id: String,
        /// The name.
        input: String,
    },
    /// A node's `CHECKS` names an input that the node does not declare.
    #[error("node {id} checks input {input}, which it does not declare")]
    UnknownCheck {
        /// The node.
        id: String,
        /// The name.
        input: String,
    },
    /// The id or the name of an input is empty.
    #[error("node {id} of {owner} has an empty id or input name")]
    Empty {
        /// The id.
        id: String,
        /// The Rust type.
        owner: String,
    },
}
