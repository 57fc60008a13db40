//! Changes of weights, made as they are read: what a file of `LoRA` or of one of its relatives adds to the tensors of a model, or what
//! another model gives to them.

mod adapter;
mod blend;
mod butterfly;
mod control;
mod matrix;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use adapter::Adapter;
pub use blend::Blend;
pub(crate) use control::is_factor;
pub use names::NameMap;

use super::{Rounding, Scope, TensorSource, Weights};
use crate::error::Result;

/// Changes in the order in which they are made, each with its strength. Cheap to clone.
#[derive(Clone, Default)]
pub struct Patches {
    applied: Arc<[Applied]>,
    /// Full names of tensors that stay as they are, sorted.
    spared: Arc<[String]>,
    /// What the values of a network are rounded to after all changes.
    rounding: Rounding,
}

#[derive(Clone)]
enum Applied {
    File {
        /// Which file it was, so that the same changes are known as such.
        identity: Identity,
        /// By the full names of tensors.
        adapters: Arc<BTreeMap<String, Adapter>>,
        strength: f32,
    },
    Model {
        /// The tensors of the other model.
        source: Arc<TensorSource>,
        blend: Arc<Blend>,
    },
    Towards {
        /// The tensors of the other model.
        source: Arc<TensorSource>,
        strength: f32,
    },
    Scaled {
        /// Ends of names, and the factors of tensors called so.
        factors: Arc<[(String, f32)]>,
    },
}

/// A change that is made with some strength.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// That of a file.
    File(&'a PatchFile),
    /// The way from the tensors as they are without changes to those of the same names of another model.
    Towards(&'a TensorSource),
}

/// A file, in the state in which it was read.
#[derive(Clone, Debug, PartialEq)]
struct Identity {
    path: std::path::PathBuf,
    modified: Option<SystemTime>,
    bytes: u64,
}

/// A file of changes, opened.
#[derive(Debug)]
pub struct PatchFile {
    weights: Weights,
    identity: Identity,
}

impl PatchFile {
    /// Opens a file of `LoRA` or of one of its relatives.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let weights = Weights::open(path)?;
        let metadata = std::fs::metadata(path).ok();
        Ok(Self {
            weights,
            identity: Identity {
                path: path.to_owned(),
                modified: metadata.as_ref().and_then(|data| data.modified().ok()),
                bytes: metadata.map_or(0, |data| data.len()),
            },
        })
    }

    /// What it holds.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The names in the file that no model has asked for so far.
    pub fn unused(&self) -> Vec<&str> {
        self.weights.unused("").collect()
    }

    /// The changes of the tensors that these names stand for.
    fn adapters(&self, names: &NameMap) -> Result<BTreeMap<String, Adapter>> {
        let mut adapters = BTreeMap::new();
        for base in bases(&self.weights) {
            let Some(target) = names.get(&base) else {
                continue;
            };
            for (ending, adapter) in Adapter::read(&self.weights, &base)? {
                let target = match (ending, target.strip_suffix(".weight")) {
                    ("bias", Some(place)) => format!("{place}.bias"),
                    _ => target.clone(),
                };
                adapters.insert(target, adapter);
            }
        }
        Ok(adapters)
    }
}

/// What the names of a file's tensors begin with, up to the ending that says which part of a change they are.
fn bases(weights: &Weights) -> BTreeSet<String> {
    weights
        .names("")
        .filter_map(|name| {
            adapter::ENDINGS
                .iter()
                .find_map(|ending| name.strip_suffix(ending))
        })
        .map(str::to_owned)
        .collect()
}

impl Patches {
    /// These changes, and then those of a file to the tensors that `names` knows.
    ///
    /// # Errors
    ///
    /// If a tensor of the file cannot be read.
    pub fn with(&self, file: &PatchFile, strength: f64, names: &NameMap) -> Result<Self> {
        Ok(self.then(Applied::File {
            identity: file.identity.clone(),
            adapters: Arc::new(file.adapters(names)?),
            strength: strength as f32,
        }))
    }

    /// These changes, and then a blend with the tensors of the same names of another model. Tensors that it lacks stay.
    #[must_use]
    pub fn with_model(&self, source: TensorSource, blend: Blend) -> Self {
        self.then(Applied::Model {
            source: Arc::new(source),
            blend: Arc::new(blend),
        })
    }

    /// These changes, and then a part of the way from what the tensors were without changes to those of the same names of another model.
    /// Tensors that it lacks stay.
    #[must_use]
    pub fn towards(&self, source: &TensorSource, strength: f64) -> Self {
        self.then(Applied::Towards {
            source: Arc::new(source.clone()),
            strength: strength as f32,
        })
    }

    /// These changes, and then factors for the tensors whose names end so; of several that fit the first counts.
    #[must_use]
    pub fn scaled(&self, factors: &[(String, f64)]) -> Self {
        let factors = factors.iter();
        self.then(Applied::Scaled {
            factors: factors
                .map(|(ending, factor)| (ending.clone(), *factor as f32))
                .collect(),
        })
    }

    /// These changes, after all of which the values of a network are rounded, in the place of another rounding.
    #[must_use]
    pub fn rounded(&self, rounding: Rounding) -> Self {
        Self {
            rounding,
            ..self.clone()
        }
    }

    /// What the values of a network are rounded to after all changes.
    pub(super) fn rounding(&self) -> Rounding {
        self.rounding
    }

    fn then(&self, added: Applied) -> Self {
        Self {
            applied: self.applied.iter().cloned().chain([added]).collect(),
            ..self.clone()
        }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.rounding == Rounding::None
    }

    /// Whether these are the same changes of the same files, in the same order and strength.
    pub fn are(&self, others: &Self) -> bool {
        self.spared == others.spared
            && self.rounding == others.rounding
            && self.applied.len() == others.applied.len()
            && self
                .applied
                .iter()
                .zip(others.applied.iter())
                .all(|(one, other)| one.is(other))
    }

    /// Whether a tensor, named within its network, may be another one after the changes.
    pub(super) fn touch(&self, place: &Scope, name: &str) -> bool {
        !self.spares(place, name)
            && self.applied.iter().any(|applied| match applied {
                Applied::File { adapters, .. } => adapters.contains_key(&place.full_name(name)),
                Applied::Model { .. } | Applied::Towards { .. } => true,
                Applied::Scaled { factors } => factor_of(factors, name).is_some(),
            })
    }

    fn spares(&self, place: &Scope, name: &str) -> bool {
        !self.spared.is_empty() && self.spared.binary_search(&place.full_name(name)).is_ok()
    }

    /// Changes the values of a tensor, named within the network at `place`, and says whether anything was changed. What does not fit the
    /// tensor is logged and left out.
    pub(super) fn apply(
        &self,
        place: &Scope,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
    ) -> Result<bool> {
        let mut changed = false;
        if self.spares(place, name) {
            return Ok(false);
        }
        let is_compared = |applied: &Applied| matches!(applied, Applied::Towards { .. });
        let original = if self.applied.iter().any(is_compared) {
            values.to_vec()
        } else {
            Vec::new()
        };
        for applied in self.applied.iter() {
            changed |= applied.apply(place, name, shape, values, &original)?;
        }
        Ok(changed)
    }
}

impl Applied {
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File {
                    identity, strength, ..
                },
                Self::File {
                    identity: other,
                    strength: other_strength,
                    ..
                },
            ) => identity == other && strength.to_bits() == other_strength.to_bits(),
            (
                Self::Model { source, blend },
                Self::Model {
                    source: other,
                    blend: other_blend,
                },
            ) => source.is(other) && blend == other_blend,
            (
                Self::Towards { source, strength },
                Self::Towards {
                    source: other,
                    strength: other_strength,
                },
            ) => source.is(other) && strength.to_bits() == other_strength.to_bits(),
            (Self::Scaled { factors }, Self::Scaled { factors: others }) => factors == others,
            _ => false,
        }
    }

    /// `original` are the values without any change, where a change needs them.
    fn apply(
        &self,
        place: &Scope,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
        original: &[f32],
    ) -> Result<bool> {
        match self {
            Self::File {
                identity,
                adapters,
                strength,
            } => {
                let Some(adapter) = adapters.get(&place.full_name(name)) else {
                    return Ok(false);
                };
                let applied = adapter.apply(shape, values, *strength);
                if let Err(reason) = &applied {
                    tracing::warn!(
                        file = %identity.path.display(),
                        tensor = name,
                        "a change is left out: {reason}"
                    );
                }
                Ok(applied.is_ok())
            }
            Self::Model { source, blend } => {
                let Some((other_shape, other)) = source.exact(name)? else {
                    return Ok(false);
                };
                let [own, strength] = blend.of(name);
                for value in values.iter_mut() {
                    *value *= own;
                }
                if other_shape == shape {
                    for (value, other) in values.iter_mut().zip(other) {
                        *value += strength * other;
                    }
                } else {
                    warn_of_shape(source, name, &other_shape, shape);
                }
                Ok(true)
            }
            Self::Towards { source, strength } => {
                let Some((other_shape, other)) = source.exact(name)? else {
                    return Ok(false);
                };
                if other_shape != shape {
                    warn_of_shape(source, name, &other_shape, shape);
                    return Ok(false);
                }
                for ((value, other), original) in values.iter_mut().zip(other).zip(original) {
                    *value += strength * (other - original);
                }
                Ok(true)
            }
            Self::Scaled { factors } => {
                let factor = factor_of(factors, name);
                if let Some(factor) = factor {
                    for value in values {
                        *value *= factor;
                    }
                }
                Ok(factor.is_some())
            }
        }
    }
}

/// The factor of a tensor, if it has one.
fn factor_of(factors: &[(String, f32)], name: &str) -> Option<f32> {
    let fitting = |(ending, _): &&(String, f32)| name.ends_with(ending.as_str());
    factors.iter().find(fitting).map(|(_, factor)| *factor)
}

fn warn_of_shape(source: &TensorSource, name: &str, found: &[usize], expected: &[usize]) {
    tracing::warn!(
        file = %source.weights().path().display(),
        tensor = name,
        "not merged: it has the shape {found:?}, expected {expected:?}"
    );
}

impl fmt::Debug for Patches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.applied.iter().map(|applied| match applied {
            Applied::File {
                identity, strength, ..
            } => (identity.path.as_path(), format!("{strength}")),
            Applied::Model { source, blend } => (
                source.weights().path(),
                format!("{:?} {:?}", blend.others, source.patches()),
            ),
            Applied::Towards { source, strength } => (
                source.weights().path(),
                format!("towards by {strength} {:?}", source.patches()),
            ),
            Applied::Scaled { factors } => (Path::new(""), format!("{factors:?}")),
        });
        formatter.debug_list().entries(files).finish()
    }
}

#[cfg(test)]
mod tests;
