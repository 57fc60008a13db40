//! Sampling of latent consistency models.
//!
//! Source: S. Luo et al., "Latent consistency models: synthesizing high-resolution images with few-step inference" (2023),
//! algorithm 3 (multistep consistency sampling).

use burn::tensor::Tensor;

use super::Method;
use crate::Result;
use crate::sampling::Run;

/// Each step takes the model's x₀ for the answer and noises it afresh to the next level.
#[derive(Clone, Copy, Debug)]
pub struct Lcm;

impl Method for Lcm {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            x = if levels[1] > 0.0 {
                run.sampling().add_noise(x0, noise.draw(), levels[1], false)
            } else {
                x0
            };
        }
        Ok(x)
    }
}
