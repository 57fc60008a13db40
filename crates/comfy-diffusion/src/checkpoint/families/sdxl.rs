//! Stable Diffusion XL (Podell et al. 2023) and what was distilled or trained from it: SSD-1B, Vega, KOALA, Playground 2.5, and models
//! that predict velocities.

use std::sync::Arc;

use super::{Family, Marks, TextNetwork};
use crate::error::{Error, Result};
use crate::sampling::{BesideRule, LatentFormat, ModelSampling, NoiseTable, Prediction, SizeLabel};
use crate::text::{CLIP_G_PENULTIMATE, CLIP_L_PENULTIMATE};

/// A UNet without attention at full resolution and with most of it at the lowest, that reads two text encoders and a label of sizes.
pub(super) const FAMILY: Family = Family {
    name: "Stable Diffusion XL",
    matches: |facts| {
        facts.is_conditioned_latent_model()
            && facts.has_linear_projections
            && facts.label_width.is_some()
            && facts.first_depth == 0
            && facts.last_depth > 0
    },
    sampling,
    latent_format: |marks| {
        if is_playground(marks) {
            LatentFormat::PLAYGROUND
        } else {
            LatentFormat::SDXL
        }
    },
    label: |_| Some(Arc::new(SizeLabel)),
    beside,
    architecture: |marks| match marks.facts.beside() {
        BesideRule::Latent { .. } => Some("stable-diffusion-xl-v1-edit"),
        _ => Some("stable-diffusion-xl-v1-base"),
    },
    text: &[
        TextNetwork {
            kind: CLIP_L_PENULTIMATE,
            prefixes: &["conditioner.embedders.0.transformer"],
        },
        TextNetwork {
            kind: CLIP_G_PENULTIMATE,
            prefixes: &["conditioner.embedders.1.model"],
        },
    ],
};

/// The noise levels and the deviation of latents that Playground 2.5 was trained for.
const PLAYGROUND_SIGMAS: [f64; 2] = [0.002, 80.0];
const PLAYGROUND_DEVIATION: f64 = 0.5;

/// The tensors whose presence marks velocities over continuous noise levels; their values are the levels.
const LARGEST_LEVEL: &str = "edm_vpred.sigma_max";
const SMALLEST_LEVEL: &str = "edm_vpred.sigma_min";
const DEFAULT_SMALLEST_LEVEL: f64 = 0.002;

fn is_playground(marks: &Marks) -> bool {
    marks.root.has("edm_mean") && marks.root.has("edm_std")
}

fn sampling(marks: &Marks) -> Result<ModelSampling> {
    if is_playground(marks) {
        let [smallest, largest] = PLAYGROUND_SIGMAS;
        return Ok(ModelSampling {
            prediction: Prediction::Edm,
            sigma_data: PLAYGROUND_DEVIATION,
            table: NoiseTable::continuous_edm(smallest, largest),
        });
    }
    if marks.root.has(LARGEST_LEVEL) {
        let largest = level(marks, LARGEST_LEVEL)?;
        let smallest = if marks.root.has(SMALLEST_LEVEL) {
            level(marks, SMALLEST_LEVEL)?
        } else {
            DEFAULT_SMALLEST_LEVEL
        };
        return Ok(ModelSampling {
            prediction: Prediction::Velocity,
            sigma_data: 1.0,
            table: NoiseTable::continuous_edm(smallest, largest),
        });
    }
    if !marks.root.has("v_pred") {
        return Ok(ModelSampling::stable_diffusion(Prediction::Epsilon));
    }
    let mut sampling = ModelSampling::stable_diffusion(Prediction::Velocity);
    if marks.root.has("ztsnr") {
        sampling.table = sampling.table.with_zero_terminal_snr();
    }
    Ok(sampling)
}

/// A positive number that a file states.
fn level(marks: &Marks, name: &str) -> Result<f64> {
    match marks.root.values(name)?.as_slice() {
        [level] if *level > 0.0 && level.is_finite() => Ok(f64::from(*level)),
        other => Err(Error::UnknownModel {
            path: marks.root.weights().path().to_owned(),
            reason: format!(
                "its tensor `{name}` should hold one positive noise level, but holds {other:?}"
            ),
        }),
    }
}

/// As elsewhere; but models of continuous velocities that follow instructions see the picture in the network's scale.
fn beside(marks: &Marks) -> BesideRule {
    match marks.facts.beside() {
        BesideRule::Latent { .. } if marks.root.has(LARGEST_LEVEL) => BesideRule::Latent {
            scale: LatentFormat::SDXL.scale,
        },
        rule => rule,
    }
}
