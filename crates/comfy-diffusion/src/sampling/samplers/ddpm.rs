//! Denoising diffusion probabilistic models: ancestral sampling.
//!
//! Source: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models" (2020), algorithm 2 with the posterior
//! variance, with ᾱ = 1/(σ²+1) and between any two levels.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::weighted_sum;
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step, noise added in each but the last.
#[derive(Clone, Copy, Debug)]
pub struct Ddpm;

impl Method for Ddpm {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            let (variance, next) = (f64::from(levels[0]).powi(2), f64::from(levels[1]).powi(2));
            // ᾱ of a level is 1/(1 + its variance); α is the ratio of two of them.
            let alpha = (1.0 + next) / (1.0 + variance);
            // The posterior mean μ = (x̂ − (1−α)/√(1−ᾱ)·ε)/√α on x̂ = x/√(1+σ²), put back to scale.
            let scale = (1.0 + next).sqrt() / alpha.sqrt();
            let noise_share =
                (1.0 - alpha) / (variance / (1.0 + variance)).sqrt() / variance.sqrt();
            let x_share = 1.0 / (1.0 + variance).sqrt() - noise_share;
            x = weighted_sum([(scale * x_share, &x), (scale * noise_share, &x0)]);
            if levels[1] > 0.0 {
                let posterior =
                    (1.0 - alpha) * (next / (1.0 + next)) / (variance / (1.0 + variance));
                x = x + noise.draw().mul_scalar((posterior * (1.0 + next)).sqrt());
            }
        }
        Ok(x)
    }
}
