//! Refined exponential solver, multistep, of order 2.
//!
//! Source: Q. Zhang, J. Song, Y. Chen, "Improved order analysis and design of exponential integrator for diffusion models
//! sampling" (2023), algorithm 2; for the variants with the negative prediction H. Chung et al., "CFG++" (2024).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{Ancestral, euler_step, half_log_snr, slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct ResMultistep {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
    /// Whether x is renoised along the negative prediction.
    pub along_negative: bool,
}

impl ResMultistep {
    /// The settings of the sampler `res_multistep`.
    pub const USUAL: Self = Self {
        eta: 0.0,
        noise_scale: 1.0,
        along_negative: false,
    };
    /// The settings of the sampler `res_multistep_ancestral`.
    pub const ANCESTRAL: Self = Self {
        eta: 1.0,
        ..Self::USUAL
    };
    /// The settings of the sampler `res_multistep_cfg_pp`.
    pub const CFG_PP: Self = Self {
        along_negative: true,
        ..Self::USUAL
    };
    /// The settings of the sampler `res_multistep_ancestral_cfg_pp`.
    pub const ANCESTRAL_CFG_PP: Self = Self {
        along_negative: true,
        ..Self::ANCESTRAL
    };
}

/// What a step leaves for the next one.
struct Previous {
    /// The level it began at.
    sigma: f64,
    /// The level it went down to before noise was added.
    down: f64,
    /// The prediction it was made of.
    x0: Tensor<4>,
}

impl Method for ResMultistep {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        let mut previous: Option<Previous> = None;
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let sigma = f64::from(levels[0]);
            let (x0, negative) = if self.along_negative {
                let guided = run.denoise_both(&x, levels[0])?;
                (guided.x0, Some(guided.negative))
            } else {
                (run.denoise(&x, levels[0])?, None)
            };
            run.report(index, &x0, &x)?;
            let step = Ancestral::new(levels[0], levels[1], self.eta);
            x = match (&previous, &negative) {
                (Some(previous), _) if step.down > 0.0 => {
                    let (moved, used) = match &negative {
                        Some(negative) => (
                            weighted_sum([(1.0, &x), (1.0, &x0), (-1.0, negative)]),
                            negative,
                        ),
                        None => (x, &x0),
                    };
                    previous.second_order(&moved, used, sigma, step.down)
                }
                (_, Some(negative)) => {
                    let direction = slope(&x, negative, levels[0]);
                    weighted_sum([(1.0, &x0), (step.down, &direction)])
                }
                (_, None) => euler_step(&x, &x0, levels[0], step.down),
            };
            if step.up > 0.0 {
                x = x + noise.draw().mul_scalar(step.up * self.noise_scale);
            }
            previous = Some(Previous {
                sigma,
                down: step.down,
                x0: negative.unwrap_or(x0),
            });
        }
        Ok(x)
    }
}

impl Previous {
    /// The step from `sigma` to `down` through the prediction before.
    fn second_order(&self, x: &Tensor<4>, x0: &Tensor<4>, sigma: f64, down: f64) -> Tensor<4> {
        let length = half_log_snr(down) - half_log_snr(sigma);
        let node = (half_log_snr(self.sigma) - half_log_snr(self.down)) / length;
        let phi_1 = -(-length).exp_m1() / length;
        let phi_2 = (1.0 - phi_1) / length;
        // A node of zero length has no weight.
        let older = if node == 0.0 { 0.0 } else { phi_2 / node };
        weighted_sum([
            ((-length).exp(), x),
            (length * (phi_1 - older), x0),
            (length * older, &self.x0),
        ])
    }
}
