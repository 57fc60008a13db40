//! A diffusion model as samplers use it.

use std::sync::Arc;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::models::Network;
use crate::residency::Resident;
use crate::sampling::{BesideRule, Hooks, LabelRule, LatentFormat, ModelSampling};
use crate::weights::patch::{PatchFile, Patches};
use crate::weights::{Rounding, Scope, Weights};

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
    /// The tensors of the network, for networks that are made of them too; `None` where it was made of no file.
    pub source: Option<NetworkSource>,
    /// Where it runs.
    pub device: ComputeDevice,
}

/// Where the tensors of a network lie.
#[derive(Clone, Debug)]
pub struct NetworkSource {
    /// The file.
    pub weights: Arc<Weights>,
    /// What the names of the network's tensors begin with.
    pub prefix: String,
    /// How they are rounded as they are read.
    pub rounding: Rounding,
}

impl Model {
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

impl NetworkSource {
    /// The tensors, with changes.
    pub fn scope(&self, patches: &Patches) -> Scope<'_> {
        self.weights
            .root()
            .enter(&self.prefix)
            .rounded(self.rounding)
            .patched(patches)
    }
}
