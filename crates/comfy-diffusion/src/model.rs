//! A diffusion model as samplers use it.

use std::sync::Arc;

use crate::checkpoint::Recognised;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::models::Network;
use crate::residency::Resident;
use crate::sampling::{BesideRule, Hooks, LabelRule, LatentFormat, ModelSampling};
use crate::weight_hooks::WeightHooks;
use crate::weights::Rounding;
use crate::weights::patch::{Blend, PatchFile};

/// A network, what its input and output mean, and where it runs. A handle: cheap to clone, and valid while the weights are
/// unloaded.
#[derive(Clone, Debug)]
pub struct Model {
    /// The network, loaded when first used.
    pub network: Resident<dyn Network>,
    /// The noise levels it was trained at and what it predicts.
    pub sampling: ModelSampling,
    /// The scale of its latents.
    pub latent_format: LatentFormat,
    /// How the vector is made that conditions the network as a whole, where it takes one.
    pub label: Option<Arc<dyn LabelRule>>,
    /// What the network sees beside the noisy latent.
    pub beside: BesideRule,
    /// What is changed about it, but for its weights.
    pub hooks: Hooks,
    /// What it was recognised as, where it was opened from a file.
    pub recognised: Option<Recognised>,
    /// Where it runs.
    pub device: ComputeDevice,
}

impl Model {
    /// The same model, its weights blended with those of another one when they are loaded. All else stays as it is.
    #[must_use]
    pub fn merged(&self, other: &Self, blend: Blend) -> Self {
        let network = other.network.source();
        let network = network.and_then(|source| self.network.merged(source, blend));
        Self {
            network: network.unwrap_or_else(|| self.network.clone()),
            ..self.clone()
        }
    }

    /// The same model, the weights of whose network are rounded after all changes.
    #[must_use]
    pub fn rounded(&self, rounding: Rounding) -> Self {
        let network = self.network.rounded(rounding);
        Self {
            network: network.unwrap_or_else(|| self.network.clone()),
            ..self.clone()
        }
    }

    /// Its network with the changes of hooks, each in this strength; the network itself where nothing is changed.
    pub(crate) fn hooked(
        &self,
        hooks: &WeightHooks,
        strengths: &[f64],
    ) -> Result<Resident<dyn Network>> {
        let changes: Vec<_> = hooks
            .as_slice()
            .iter()
            .zip(strengths)
            .filter_map(|(hook, strength)| Some((hook.change().of_network()?, *strength)))
            .collect();
        self.network.changed(&changes)
    }

    /// The same model with the changes of a file of `LoRA` or of one of its relatives, merged into its weights when they are loaded.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn with_patches(&self, file: &PatchFile, strength: f64) -> Result<Self> {
        let network = self.network.patched(file, strength)?;
        Ok(Self {
            network: network.unwrap_or_else(|| self.network.clone()),
            ..self.clone()
        })
    }
}
