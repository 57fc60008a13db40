//! What a Control-LoRA adds to the weights of the model that it steers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::adapter::Adapter;
use super::{Applied, PatchFile, Patches};
use crate::error::Result;

/// Endings of the two factors that are added to a tensor.
pub(crate) const FACTORS: [&str; 2] = [".up", ".down"];

impl Patches {
    /// These changes, and then the products that a Control-LoRA adds to the tensors below `place`. Tensors that it has itself stay as
    /// they are.
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
        let mut spared: Vec<String> = own.map(|name| format!("{place}{name}")).collect();
        spared.sort_unstable();
        let added = self.then(Applied::File {
            identity: file.identity.clone(),
            adapters: Arc::new(adapters),
            strength: 1.0,
        });
        Ok(Self {
            spared: spared.into(),
            ..added
        })
    }
}

/// Whether a tensor of this name is a factor of a change.
pub(crate) fn is_factor(name: &str) -> bool {
    FACTORS.iter().any(|ending| name.ends_with(ending))
}
