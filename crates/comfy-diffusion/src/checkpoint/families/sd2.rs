//! Stable Diffusion 2.x: text from OpenCLIP's H, heads of 64 features, and for pictures of 768 pixels velocities.

use super::{Family, Marks, TextNetwork};
use crate::error::Result;
use crate::sampling::{LatentFormat, ModelSampling, Prediction};
use crate::text::CLIP_H_PENULTIMATE;

/// A UNet that attends through linear layers to one text encoder and knows nothing but that text.
pub(super) const FAMILY: Family = Family {
    name: "Stable Diffusion 2",
    matches: |facts| {
        facts.is_conditioned_latent_model()
            && facts.has_linear_projections
            && facts.label_width.is_none()
            && facts.in_channels != 2 * LatentFormat::SD15.channels
    },
    sampling,
    latent_format: |_| LatentFormat::SD15,
    label: |_| None,
    beside: |marks| marks.facts.beside(),
    architecture: |_| None,
    text: &[TextNetwork {
        kind: CLIP_H_PENULTIMATE,
        prefixes: &["cond_stage_model.model", "conditioner.embedders.0.model"],
    }],
};

/// The tensor that tells velocity from noise: training for velocities left larger values in it.
const VELOCITY_TENSOR: &str = "output_blocks.11.1.transformer_blocks.0.norm1.bias";

/// The standard deviation above which it was velocities.
const VELOCITY_DEVIATION: f64 = 0.09;

/// Files do not say what was predicted; the deviation of one tensor's values does. Inpainting models always predict noise.
pub(super) fn sampling(marks: &Marks) -> Result<ModelSampling> {
    let is_plain = marks.facts.in_channels == LatentFormat::SD15.channels;
    let is_velocity = is_plain
        && marks.network.has(VELOCITY_TENSOR)
        && deviation(&marks.network.values(VELOCITY_TENSOR)?) > VELOCITY_DEVIATION;
    Ok(ModelSampling::stable_diffusion(if is_velocity {
        Prediction::Velocity
    } else {
        Prediction::Epsilon
    }))
}

fn deviation(values: &[f32]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares = values
        .iter()
        .map(|value| (f64::from(*value) - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt()
}
