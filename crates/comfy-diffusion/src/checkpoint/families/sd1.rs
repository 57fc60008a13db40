//! Stable Diffusion 1.x (Rombach et al. 2022, "High-resolution image synthesis with latent diffusion models"), its inpainting models,
//! and those that change a picture after an instruction (Brooks et al. 2023, "`InstructPix2Pix`").

use super::{Family, TextNetwork};
use crate::sampling::{LatentFormat, ModelSampling, Prediction};
use crate::text::CLIP_L_LAST;

/// A UNet that attends through convolutions to CLIP-L's last layer, knows nothing but that text, and predicts the noise.
pub(super) const FAMILY: Family = Family {
    name: "Stable Diffusion 1",
    matches: |facts| {
        facts.is_conditioned_latent_model()
            && !facts.has_linear_projections
            && facts.label_width.is_none()
    },
    sampling: |_| Ok(ModelSampling::stable_diffusion(Prediction::Epsilon)),
    latent_format: |_| LatentFormat::SD15,
    label: |_| None,
    beside: |marks| marks.facts.beside(),
    architecture: |_| None,
    text: &[TextNetwork {
        kind: CLIP_L_LAST,
        prefixes: &["cond_stage_model.transformer"],
    }],
};
