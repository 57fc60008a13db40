//! DPM-Solver-2: the midpoint method in log σ.
//!
//! Source: C. Lu et al., "DPM-Solver: a fast ODE solver for diffusion probabilistic model sampling in around 10 steps" (2022),
//! §3.2, and T. Karras et al., "Elucidating the design space of diffusion-based generative models" (2022), algorithm 2.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{Ancestral, euler_step, slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// Two calls of the model a step, one in a step that ends at no noise.
#[derive(Clone, Copy, Debug)]
pub struct Dpm2 {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

impl Dpm2 {
    /// The settings of the sampler `dpm_2`.
    pub const USUAL: Self = Self {
        eta: 0.0,
        noise_scale: 1.0,
    };
    /// The settings of the sampler `dpm_2_ancestral`.
    pub const ANCESTRAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
    };
}

impl Method for Dpm2 {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let sigma = levels[0];
            let x0 = run.denoise(&x, sigma)?;
            run.report(index, &x0, &x)?;
            let step = Ancestral::new(sigma, levels[1], self.eta);
            if step.down == 0.0 {
                x = x0;
                continue;
            }
            let middle = (f64::from(sigma) * step.down).sqrt() as f32;
            let halfway = euler_step(&x, &x0, sigma, f64::from(middle));
            let x0_halfway = run.denoise(&halfway, middle)?;
            let direction = slope(&halfway, &x0_halfway, middle);
            x = weighted_sum([(1.0, &x), (step.down - f64::from(sigma), &direction)]);
            if step.up > 0.0 {
                x = x + noise.draw().mul_scalar(step.up * self.noise_scale);
            }
        }
        Ok(x)
    }

    fn drops_penultimate_level(&self) -> bool {
        true
    }
}
