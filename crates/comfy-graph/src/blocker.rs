//! Outputs that must not be used.

use std::sync::Arc;

/// Stands in the place of a value and keeps every node that would get it from running; their outputs are blocked too.
///
/// A lazy input is the better choice where one will do, since then nothing is computed in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    message: Option<Arc<str>>,
}

impl Blocker {
    /// Blocks without a word.
    pub fn silent() -> Self {
        Self { message: None }
    }

    /// Blocks and tells the client why, at the first node that is kept from running.
    pub fn new(message: impl Into<Arc<str>>) -> Self {
        Self {
            message: Some(message.into()),
        }
    }

    /// What the client is told.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}
