//! A place within a file, kept to be read again.

use std::sync::Arc;

use super::patch::Patches;
use super::{Rounding, Scope, Weights};
use crate::residency::Room;

/// What a [`Scope`] is, without borrowing the file.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(super) weights: Weights,
    pub(super) prefix: String,
    pub(super) rounding: Rounding,
    pub(super) patches: Patches,
    pub(super) network: usize,
}

impl Place {
    /// The scope, whose tensors take memory of `room`.
    pub(crate) fn scope(&self, room: &Arc<Room>) -> Scope<'_> {
        Scope::at(&self.weights, self, room)
    }

    /// What the names of its tensors begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}
