//! Changes of weights: what a file of `LoRA` or of one of its relatives adds to the tensors of a model, merged as they are read.

mod adapter;
mod butterfly;
mod matrix;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use adapter::Adapter;
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
    adapters: Arc<BTreeMap<String, Adapter>>,
    strength: f32,
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
        let added = Applied {
            identity: file.identity.clone(),
            adapters: Arc::new(file.adapters(names)?),
            strength: strength as f32,
        };
        Ok(Self {
            applied: self.applied.iter().cloned().chain([added]).collect(),
        })
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

    /// Whether there are changes of this tensor.
    pub(super) fn change(&self, name: &str) -> bool {
        let mut applied = self.applied.iter();
        applied.any(|applied| applied.adapters.contains_key(name))
    }

    /// Changes the values of a tensor, and says whether anything was changed. What does not fit the tensor is logged and left out.
    pub(super) fn apply(&self, name: &str, shape: &[usize], values: &mut [f32]) -> bool {
        let mut changed = false;
        for applied in self.applied.iter() {
            let Some(adapter) = applied.adapters.get(name) else {
                continue;
            };
            match adapter.apply(shape, values, applied.strength) {
                Ok(()) => changed = true,
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
