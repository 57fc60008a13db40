//! What a sampler asks for: the clean latent at a noise level.

use burn::tensor::Tensor;

use super::ModelSampling;
use crate::Result;

/// A model with its conditions applied. Samplers know nothing else of it, so they are tested on closed formulas.
pub trait Denoise {
    /// The clean latent x₀ that the model, with guidance, sees in `x` [batch, channels, height, width] at noise level
    /// `sigma`. x is unscaled: x₀ plus noise of deviation σ.
    fn denoise(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Tensor<4>>;

    /// The same, together with what the model sees under the negative condition alone.
    fn denoise_both(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Guided>;

    /// The meaning of the noise levels.
    fn sampling(&self) -> &ModelSampling;
}

/// Two views of the same x.
#[derive(Clone, Debug)]
pub struct Guided {
    /// The clean latent with guidance.
    pub x0: Tensor<4>,
    /// The clean latent under the negative condition alone.
    pub negative: Tensor<4>,
}
