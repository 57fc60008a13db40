//! DPM-Solver++(2S) with ancestral noise.
//!
//! Source: C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models" (2022),
//! algorithm 1, in the variables used here (α = 1, λ = −ln σ); for the second struct H. Chung et al., "CFG++:
//! manifold-constrained classifier free guidance for diffusion models" (2024).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{Ancestral, slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// Two calls of the model a step, one in a step that ends at no noise; the second is half-way in λ.
#[derive(Clone, Copy, Debug)]
pub struct Dpmpp2sAncestral {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

impl Dpmpp2sAncestral {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
    };
}

impl Method for Dpmpp2sAncestral {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            let step = Ancestral::new(levels[0], levels[1], self.eta);
            if step.down == 0.0 {
                x = x0;
                continue;
            }
            let parts = Halves::new(f64::from(levels[0]), step.down);
            let halfway = weighted_sum([(parts.half, &x), (1.0 - parts.half, &x0)]);
            let x0_halfway = run.denoise(&halfway, parts.middle as f32)?;
            x = weighted_sum([(parts.whole, &x), (1.0 - parts.whole, &x0_halfway)])
                + noise.draw().mul_scalar(step.up * self.noise_scale);
        }
        Ok(x)
    }
}

/// The same, renoising along the negative prediction.
#[derive(Clone, Copy, Debug)]
pub struct Dpmpp2sAncestralCfgPp {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

impl Dpmpp2sAncestralCfgPp {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
    };
}

impl Method for Dpmpp2sAncestralCfgPp {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let guided = run.denoise_both(&x, levels[0])?;
            run.report(index, &guided.x0, &x)?;
            let step = Ancestral::new(levels[0], levels[1], self.eta);
            if step.down == 0.0 {
                let direction = slope(&x, &guided.negative, levels[0]);
                x = weighted_sum([(1.0, &guided.x0), (step.down, &direction)]);
                continue;
            }
            let parts = Halves::new(f64::from(levels[0]), step.down);
            // What guidance adds is added to x before it shrinks: as seen at the beginning, then as seen half-way.
            let moved = |negative| weighted_sum([(1.0, &x), (1.0, &guided.x0), (-1.0, negative)]);
            let start = moved(&guided.negative);
            let halfway = weighted_sum([(parts.half, &start), (1.0 - parts.half, &guided.x0)]);
            let within = run.denoise_both(&halfway, parts.middle as f32)?;
            let start = moved(&within.negative);
            x = weighted_sum([(parts.whole, &start), (1.0 - parts.whole, &within.x0)])
                + noise.draw().mul_scalar(step.up * self.noise_scale);
        }
        Ok(x)
    }
}

/// A step in λ and its half.
struct Halves {
    /// σ in the middle.
    middle: f64,
    /// What is left of σ in the middle.
    half: f64,
    /// What is left of σ at the end.
    whole: f64,
}

impl Halves {
    fn new(sigma: f64, end: f64) -> Self {
        let middle = (sigma * end).sqrt();
        Self {
            middle,
            half: middle / sigma,
            whole: end / sigma,
        }
    }
}
