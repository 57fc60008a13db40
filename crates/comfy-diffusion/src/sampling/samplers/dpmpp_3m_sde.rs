//! SDE-DPM-Solver++ of order 3, multistep.
//!
//! Source: C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models" (2022), taken to the
//! third order with the exponential integrals φ₂ and φ₃ (M. Hochbruck and A. Ostermann, "Exponential integrators", 2010),
//! in the variables used here (α = 1, λ = −ln σ). The noise of a step is the increment of a Brownian path.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::weighted_sum;
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step, noise added in each but the last.
#[derive(Clone, Copy, Debug)]
pub struct Dpmpp3mSde {
    /// 0 for the differential equation without noise, 1 for the stochastic one.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

impl Dpmpp3mSde {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
    };
}

impl Method for Dpmpp3mSde {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        if run.steps() == 0 {
            return Ok(x);
        }
        let noise = run.brownian_like(&x);
        // The length of each step and the x₀ it began with, latest first.
        let mut earlier: VecDeque<(f64, Tensor<4>)> = VecDeque::new();
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let step = sigma.ln() - next.ln();
            let scaled = step * (1.0 + self.eta);
            let gain = -(-scaled).exp_m1();
            let phi_2 = 1.0 - gain / scaled;
            x = weighted_sum([(next / sigma * (-step * self.eta).exp(), &x), (gain, &x0)]);
            if let Some((first_step, first)) = earlier.front() {
                let recent_ratio = first_step / step;
                let recent =
                    weighted_sum([(1.0 / recent_ratio, &x0), (-1.0 / recent_ratio, first)]);
                x = match earlier.get(1) {
                    None => weighted_sum([(1.0, &x), (phi_2, &recent)]),
                    Some((second_step, second)) => {
                        let older_ratio = second_step / step;
                        let older = weighted_sum([
                            (1.0 / older_ratio, first),
                            (-1.0 / older_ratio, second),
                        ]);
                        let bend = (recent.clone() - older).div_scalar(recent_ratio + older_ratio);
                        let phi_3 = phi_2 / scaled - 0.5;
                        weighted_sum([
                            (1.0, &x),
                            (phi_2, &recent),
                            (phi_2 * recent_ratio - phi_3, &bend),
                        ])
                    }
                };
            }
            let deviation = next * (-(-2.0 * step * self.eta).exp_m1()).sqrt() * self.noise_scale;
            if deviation > 0.0 {
                x = x + noise.between(levels[0], levels[1]).mul_scalar(deviation);
            }
            earlier.push_front((step, x0));
            earlier.truncate(2);
        }
        Ok(x)
    }
}
