//! The refiner of Stable Diffusion XL, which finishes the last steps of its pictures.

use std::sync::Arc;

use super::{Family, TextNetwork};
use crate::sampling::{AestheticLabel, LatentFormat, ModelSampling, Prediction};
use crate::text::CLIP_G_PENULTIMATE;

/// A UNet with attention at the middle resolutions only, that reads one text encoder and a label with an aesthetic score.
pub(super) const FAMILY: Family = Family {
    name: "Stable Diffusion XL refiner",
    matches: |facts| {
        facts.is_conditioned_latent_model()
            && facts.has_linear_projections
            && facts.label_width.is_some()
            && facts.first_depth == 0
            && facts.last_depth == 0
    },
    sampling: |_| Ok(ModelSampling::stable_diffusion(Prediction::Epsilon)),
    latent_format: |_| LatentFormat::SDXL,
    label: |_| Some(Arc::new(AestheticLabel)),
    beside: |marks| marks.facts.beside(),
    architecture: |_| Some("stable-diffusion-xl-v1-refiner"),
    text: &[TextNetwork {
        kind: CLIP_G_PENULTIMATE,
        prefixes: &["conditioner.embedders.0.model"],
    }],
};
