//! The families of models that can be opened.

use std::sync::Arc;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::models::Network;
use crate::sampling::{LatentFormat, ModelSampling};
use crate::text::Clip;
use crate::weights::{Scope, Weights};

/// Models that differ only in what shapes tell.
pub(super) struct Family {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// Whether the tensors of a diffusion network are of this family.
    pub(super) matches: fn(&Scope) -> bool,
    /// How its networks are sampled.
    pub(super) sampling: fn(&Scope) -> ModelSampling,
    /// What the numbers of its latents mean.
    pub(super) latent_format: LatentFormat,
    /// Builds the network from its tensors.
    pub(super) network: fn(&Scope, &ComputeDevice) -> Result<Arc<dyn Network>>,
    /// The text encoder of a whole checkpoint, if it has one.
    pub(super) text_encoder: fn(&Arc<Weights>, &ComputeDevice) -> Option<Clip>,
}

/// All families. The first that matches is taken, so the special stand before the general.
pub(super) static FAMILIES: &[Family] = &[super::sd1::FAMILY];
