//! Euler's method with ancestral noise.
//!
//! Source: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models" (2020), ancestral sampling, written in σ.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{Ancestral, euler_step};
use crate::Result;
use crate::sampling::Run;

/// Each step goes further down than its level and comes back up with fresh noise.
#[derive(Clone, Copy, Debug)]
pub struct EulerAncestral {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

impl EulerAncestral {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
    };
}

impl Method for EulerAncestral {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            let step = Ancestral::new(levels[0], levels[1], self.eta);
            if step.down == 0.0 {
                x = x0;
            } else {
                x = euler_step(&x, &x0, levels[0], step.down)
                    + noise.draw().mul_scalar(step.up * self.noise_scale);
            }
        }
        Ok(x)
    }
}
