//! Changes of weights: what a file of `LoRA` or of one of its relatives adds to the tensors of a model, merged as they are read.

mod adapter;
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
pub(crate) use control::is_factor;
use matrix::Misfit;
pub use names::NameMap;

use super::Weights;
use crate::error::Result;

/// Changes in the order in which they are made, each with its strength. Cheap to clone.
#[derive(Clone, Default)]
pub struct Patches {
    applied: Arc<[Applied]>,
}

#[derive(Clone)]
struct Applied {
    /// Which file it was, so that the same changes are known as such.
    identity: Identity,
    changes: Arc<dyn Change>,
    strength: f32,
}

/// Changes of tensors by their names.
trait Change: Send + Sync {
    /// Changes the values of a tensor; false where it leaves them as they are.
    ///
    /// # Errors
    ///
    /// Why the change does not fit.
    fn apply(
        &self,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
        strength: f32,
    ) -> std::result::Result<bool, Misfit>;
}

/// By name.
impl Change for BTreeMap<String, Adapter> {
    fn apply(
        &self,
        name: &str,
        shape: &[usize],
        values: &mut [f32],
        strength: f32,
    ) -> std::result::Result<bool, Misfit> {
        let Some(adapter) = self.get(name) else {
            return Ok(false);
        };
        adapter.apply(shape, values, strength)?;
        Ok(true)
    }
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
        Ok(self.plus(Applied {
            identity: file.identity.clone(),
            changes: Arc::new(file.adapters(names)?),
            strength: strength as f32,
        }))
    }

    fn plus(&self, added: Applied) -> Self {
        Self {
            applied: self.applied.iter().cloned().chain([added]).collect(),
        }
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty()
    }

    /// Whether these are the same changes of the same files, in the same order and strength.
    pub fn are(&self, others: &Self) -> bool {
        let key = |applied: &Applied| (applied.identity.clone(), applied.strength.to_bits());
        self.applied
            .iter()
            .map(key)
            .eq(others.applied.iter().map(key))
    }

    /// Changes the values of a tensor, and says whether anything was changed. What does not fit the tensor is logged and left out.
    pub(super) fn apply(&self, name: &str, shape: &[usize], values: &mut [f32]) -> bool {
        let mut changed = false;
        for applied in self.applied.iter() {
            match applied.changes.apply(name, shape, values, applied.strength) {
                Ok(done) => changed |= done,
                Err(reason) => tracing::warn!(
                    file = %applied.identity.path.display(),
                    tensor = name,
                    "a change is left out: {reason}"
                ),
            }
        }
        changed
    }
}

impl fmt::Debug for Patches {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.applied.iter();
        let files = files.map(|applied| (&applied.identity.path, applied.strength));
        formatter.debug_list().entries(files).finish()
    }
}

#[cfg(test)]
mod tests;
