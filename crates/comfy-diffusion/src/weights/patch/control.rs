//! Changes of which control nets are made: of the weights of the model that they steer, or to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::adapter::Adapter;
use super::matrix::Misfit;
use super::{Applied, Change, PatchFile, Patches};
use crate::error::Result;
use crate::model::NetworkSource;

/// Endings of the two factors that are added to a tensor.
pub(crate) const FACTORS: [&str; 2] = [".up", ".down"];

impl Patches {
    /// These changes, and then the products that a Control-LoRA adds to the tensors below `place`. Tensors that it has itself are
    /// left out of all of them.
    pub(crate) fn with_control(&self, file: &PatchFile, place: &str) -> Result<Self> {
        let weights = file.weights();
        let mut adapters = BTreeMap::new();
        for name in weights.names("") {
            let Some(layer) = name.strip_suffix(FACTORS[0]) else {
                continue;
            };
            if let Some(adapter) = Adapter::factors(weights, layer, FACTORS)? {
                adapters.insert(format!("{place}{layer}.weight"), adapter);
            }
        }
        let own = weights.names("").filter(|name| !is_factor(name));
        let own = own.map(|name| format!("{place}{name}")).collect();
        Ok(self.except(own).plus(Applied {
            identity: file.identity.clone(),
            changes: Arc::new(adapters),
            strength: 1.0,
        }))
    }

    /// The tensors of a network, themselves with changes, added to those of the same names below `place`.
    pub(crate) fn sum(file: &PatchFile, place: &str, source: NetworkSource, patches: Self) -> Self {
        Self::default().plus(Applied {
            identity: file.identity.clone(),
            changes: Arc::new(Sum {
                place: place.to_owned(),
                source,
                patches,
            }),
            strength: 1.0,
        })
    }

    fn except(&self, names: Vec<String>) -> Self {
        let names: Arc<[String]> = names.into();
        let applied = self.applied.iter().map(|applied| Applied {
            changes: Arc::new(Except {
                changes: Arc::clone(&applied.changes),
                names: Arc::clone(&names),
            }),
            ..applied.clone()
        });
        Self {
            applied: applied.collect(),
        }
    }
}

/// Whether a tensor of this name is a factor of a change.
pub(crate) fn is_factor(name: &str) -> bool {
    FACTORS.iter().any(|ending| name.ends_with(ending))
}

/// Changes but for those of some tensors.
struct Except {
    changes: Arc<dyn Change>,
    /// Sorted.
    names: Arc<[String]>,
}

impl Change for Except {
    fn apply(
        &self,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
        strength: f32,
    ) -> std::result::Result<bool, Misfit> {
        let is_excepted = self
            .names
            .binary_search_by(|own| own.as_str().cmp(name))
            .is_ok();
        if is_excepted {
            return Ok(false);
        }
        self.changes.apply(name, shape, values, strength)
    }
}

/// The tensors of a network are added.
struct Sum {
    place: String,
    source: NetworkSource,
    patches: Patches,
}

impl Change for Sum {
    fn apply(
        &self,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
        strength: f32,
    ) -> std::result::Result<bool, Misfit> {
        let scope = self.source.scope(&self.patches);
        let Some(name) = name
            .strip_prefix(&self.place)
            .filter(|name| scope.has(name))
        else {
            return Ok(false);
        };
        let found = scope.shape(name).map_err(|error| error.to_string())?;
        if found != shape {
            return Err(format!("{found:?} is to be added to {shape:?}"));
        }
        let added = scope.values(name).map_err(|error| error.to_string())?;
        for (value, added) in values.iter_mut().zip(added) {
            *value += strength * added;
        }
        Ok(true)
    }
}
