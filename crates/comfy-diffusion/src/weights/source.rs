//! The tensors of one network: where they lie, and how they are read.

use std::sync::Arc;

use super::patch::Patches;
use super::{Rounding, Scope, Weights};
use crate::error::Result;
use crate::residency::Room;

/// A place in a file, to whose values a rounding and changes are applied as they are read. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TensorSource {
    weights: Arc<Weights>,
    prefix: String,
    rounding: Rounding,
    patches: Patches,
    /// What is told of the memory that tensors take.
    room: Arc<Room>,
}

impl TensorSource {
    /// What lies below `prefix`, unchanged.
    pub fn new(weights: &Arc<Weights>, prefix: &str, rounding: Rounding) -> Self {
        Self {
            weights: Arc::clone(weights),
            prefix: prefix.to_owned(),
            rounding,
            patches: Patches::default(),
            room: Arc::default(),
        }
    }

    /// The same tensors, which take memory of `room`.
    #[must_use]
    pub fn in_room(&self, room: &Arc<Room>) -> Self {
        Self {
            room: Arc::clone(room),
            ..self.clone()
        }
    }

    /// The same tensors with these changes in place of others.
    #[must_use]
    pub fn patched(&self, patches: Patches) -> Self {
        Self {
            patches,
            ..self.clone()
        }
    }

    /// The same place in another file.
    #[must_use]
    pub fn within(&self, weights: Arc<Weights>) -> Self {
        Self {
            weights,
            ..self.clone()
        }
    }

    /// What the names of its tensors begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The changes.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    /// The file.
    pub fn weights(&self) -> &Arc<Weights> {
        &self.weights
    }

    /// The place, to build a network from.
    pub fn scope(&self) -> Scope<'_> {
        let scope = self.weights.root().enter(&self.prefix);
        scope
            .rounded(self.rounding)
            .patched(&self.patches)
            .in_room(&self.room)
    }

    /// The names of all tensors, relative to the place.
    pub fn names(&self) -> Vec<String> {
        let scope = self.scope();
        let names = self.weights.names(scope.prefix());
        names
            .filter_map(|name| name.get(scope.prefix().len()..))
            .map(str::to_owned)
            .collect()
    }

    /// Whether both are the same tensors with the same changes.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.weights, &other.weights)
            && self.prefix == other.prefix
            && self.rounding == other.rounding
            && self.patches.are(&other.patches)
    }

    /// The shape and the values of a tensor with its changes, which are not rounded again; nothing where there is no such tensor.
    pub(super) fn exact(&self, name: &str) -> Result<Option<(Vec<usize>, Vec<f32>)>> {
        let full = self.scope().full_name(name);
        let Some(shape) = self.weights.shape(&full) else {
            return Ok(None);
        };
        let mut values = self.weights.values(&full)?;
        self.rounding.apply(&mut values);
        self.patches
            .apply(&self.scope(), name, shape, &mut values)?;
        Ok(Some((shape.to_vec(), values)))
    }
}
