//! Euler's method that renoises along the negative prediction.
//!
//! Source: H. Chung, J. Kim, G. Y. Park, H. Nam, J. C. Ye, "CFG++: manifold-constrained classifier free guidance for
//! diffusion models" (2024), algorithm 2.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{Ancestral, slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// Each step takes the guided x₀ and adds to it the noise that the negative condition sees in x.
#[derive(Clone, Copy, Debug)]
pub struct EulerCfgPp {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

impl EulerCfgPp {
    /// The settings of the sampler `euler_cfg_pp`.
    pub const USUAL: Self = Self {
        eta: 0.0,
        noise_scale: 1.0,
    };
    /// The settings of the sampler `euler_ancestral_cfg_pp`.
    pub const ANCESTRAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
    };
}

impl Method for EulerCfgPp {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let guided = run.denoise_both(&x, levels[0])?;
            run.report(index, &guided.x0, &x)?;
            if levels[1] == 0.0 {
                x = guided.x0;
                continue;
            }
            let step = Ancestral::new(levels[0], levels[1], self.eta);
            let direction = slope(&x, &guided.negative, levels[0]);
            x = weighted_sum([(1.0, &guided.x0), (step.down, &direction)]);
            if step.up > 0.0 && self.noise_scale > 0.0 {
                x = x + noise.draw().mul_scalar(step.up * self.noise_scale);
            }
        }
        Ok(x)
    }
}

/// Euler's method along a direction that counts the difference of the two predictions twice: x goes by
/// (x − 2·x₀ + negative)/σ.
#[derive(Clone, Copy, Debug)]
pub struct EulerFromNegative;

impl Method for EulerFromNegative {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let guided = run.denoise_both(&x, levels[0])?;
            run.report(index, &guided.x0, &x)?;
            let step = f64::from(levels[1] - levels[0]) / f64::from(levels[0]);
            x = weighted_sum([
                (1.0 + step, &x),
                (-2.0 * step, &guided.x0),
                (step, &guided.negative),
            ]);
        }
        Ok(x)
    }
}
