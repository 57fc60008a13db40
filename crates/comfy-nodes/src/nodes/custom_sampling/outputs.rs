//! Results that several of these nodes share.

use std::sync::Arc;

use comfy_diffusion::sampling::samplers::Method;
use comfy_graph::Outputs;

use crate::sockets::{Guider, Latent, Noise, Sampler, Sigmas};

/// Noise levels.
#[derive(Debug, Outputs)]
pub struct OneSigmas {
    /// The noise levels, from much noise to little.
    #[output(name = "SIGMAS")]
    pub sigmas: Sigmas,
}

impl From<Vec<f32>> for OneSigmas {
    fn from(levels: Vec<f32>) -> Self {
        Self {
            sigmas: levels.into(),
        }
    }
}

/// Noise levels in two parts.
#[derive(Debug, Outputs)]
pub struct TwoSigmas {
    /// The part with more noise.
    #[output(name = "high_sigmas")]
    pub high: Sigmas,
    /// The part with less noise. It begins where the other ends.
    #[output(name = "low_sigmas")]
    pub low: Sigmas,
}

/// A method of sampling.
#[derive(Debug, Outputs)]
pub struct OneSampler {
    /// The method, for a node that samples.
    #[output(name = "SAMPLER")]
    pub sampler: Sampler,
}

impl<M: Method + 'static> From<M> for OneSampler {
    fn from(method: M) -> Self {
        Self {
            sampler: Sampler(Arc::new(method)),
        }
    }
}

/// A model with its prompts.
#[derive(Debug, Outputs)]
pub struct OneGuider {
    /// The guider, for a node that samples.
    #[output(name = "GUIDER")]
    pub guider: Guider,
}

/// Where noise comes from.
#[derive(Debug, Outputs)]
pub struct OneNoise {
    /// The noise, for a node that samples.
    #[output(name = "NOISE")]
    pub noise: Noise,
}

/// What sampling gives.
#[derive(Debug, Outputs)]
pub struct TwoLatents {
    /// The latent after the last step. If the noise levels do not end at 0 there is still noise in it.
    #[output(name = "output")]
    pub output: Latent,
    /// The latent without noise, as the model saw it in the last step.
    #[output(name = "denoised_output")]
    pub denoised_output: Latent,
}
