//! SDE-DPM-Solver++(2M).
//!
//! Source: C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models" (2022), §5 and
//! appendix B, in the variables used here (α = 1, λ = −ln σ), with a parameter η between the ODE and the SDE. The noise
//! of a step is the increment of a Brownian path over its interval.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::weighted_sum;
use crate::Result;
use crate::sampling::Run;

/// How the change of x₀ since the step before enters the second-order term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// x₀ at the middle of the step.
    Midpoint,
    /// The exponential integral of a linear x₀.
    Heun,
}

/// One call of the model a step, noise added in each but the last.
#[derive(Clone, Copy, Debug)]
pub struct Dpmpp2mSde {
    /// 0 for the differential equation without noise, 1 for the stochastic one.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
    /// The second-order term.
    pub correction: Correction,
}

impl Dpmpp2mSde {
    /// The settings of the sampler `dpmpp_2m_sde`.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
        correction: Correction::Midpoint,
    };
    /// The settings of the sampler `dpmpp_2m_sde_heun`.
    pub const HEUN: Self = Self {
        correction: Correction::Heun,
        ..Self::USUAL
    };
}

impl Method for Dpmpp2mSde {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        if run.steps() == 0 {
            return Ok(x);
        }
        let noise = run.brownian_like(&x);
        let mut previous: Option<(f64, Tensor<4>)> = None;
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let step = sigma.ln() - next.ln();
            let rest = next / sigma * (-step * self.eta).exp();
            // 1 − e^{−h(1+η)}
            let gain = -(-step * (1.0 + self.eta)).exp_m1();
            x = match &previous {
                None => weighted_sum([(rest, &x), (gain, &x0)]),
                Some((previous_step, previous_x0)) => {
                    let share = match self.correction {
                        Correction::Midpoint => 0.5 * gain,
                        Correction::Heun => 1.0 - gain / (step * (1.0 + self.eta)),
                    };
                    let change = share * step / previous_step;
                    weighted_sum([(rest, &x), (gain + change, &x0), (-change, previous_x0)])
                }
            };
            let deviation = next * (-(-2.0 * step * self.eta).exp_m1()).sqrt() * self.noise_scale;
            if deviation > 0.0 {
                x = x + noise.between(levels[0], levels[1]).mul_scalar(deviation);
            }
            previous = Some((step, x0));
        }
        Ok(x)
    }
}
