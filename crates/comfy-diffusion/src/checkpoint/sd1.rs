//! Stable Diffusion 1.x (Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models").

use std::sync::Arc;

use super::family::Family;
use super::unet::UnetFacts;
use crate::device::ComputeDevice;
use crate::models::unet::UNet;
use crate::sampling::{LatentFormat, ModelSampling, Prediction};
use crate::text::{Clip, SingleClip};
use crate::weights::{Scope, Weights};

/// A UNet that attends through convolutions to CLIP-L's last layer, knows nothing but that text, and predicts the noise.
pub(super) const FAMILY: Family = Family {
    name: "Stable Diffusion 1",
    matches,
    sampling: |_| ModelSampling::stable_diffusion(Prediction::Epsilon),
    latent_format: LatentFormat::SD15,
    network: |scope, device| Ok(Arc::new(UNet::load(scope, device)?)),
    text_encoder,
};

fn matches(scope: &Scope) -> bool {
    UnetFacts::read(scope).is_some_and(|facts| {
        facts.in_channels == LatentFormat::SD15.channels
            && facts.out_channels == LatentFormat::SD15.channels
            && facts.context_width.is_some()
            && !facts.has_linear_projections
            && facts.label_width.is_none()
            && !facts.is_temporal
    })
}

fn text_encoder(weights: &Arc<Weights>, device: &ComputeDevice) -> Option<Clip> {
    const PREFIX: &str = "cond_stage_model.transformer";
    let is_there = weights.root().has_scope(PREFIX);
    is_there.then(|| Clip::new(Arc::new(SingleClip::clip_l(weights, PREFIX, device))))
}
