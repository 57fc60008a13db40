//! SDE-DPM-Solver++(2S).
//!
//! Source: C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models" (2022), §5, in
//! the variables used here (α = 1, λ = −ln σ). The noise of a step is the increment of a Brownian path over its interval.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{Ancestral, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// Two calls of the model a step, one in a step that ends at no noise.
#[derive(Clone, Copy, Debug)]
pub struct DpmppSde {
    /// How much of the noise is renewed: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
    /// Where in λ the second call lies, as a part of the step.
    pub part: f64,
}

impl DpmppSde {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
        part: 0.5,
    };
}

impl Method for DpmppSde {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        if run.steps() == 0 {
            return Ok(x);
        }
        let noise = run.brownian_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let (sigma, next) = (levels[0], levels[1]);
            let x0 = run.denoise(&x, sigma)?;
            run.report(index, &x0, &x)?;
            if next == 0.0 {
                x = x0;
                continue;
            }
            let middle = level_between(sigma, next, self.part as f32);
            let advance = |x: &Tensor<4>, x0: &Tensor<4>, to: f32| {
                let step = Ancestral::new(sigma, to, self.eta);
                let rest = step.down / f64::from(sigma);
                let x = weighted_sum([(rest, x), (1.0 - rest, x0)]);
                let deviation = step.up * self.noise_scale;
                if deviation > 0.0 {
                    x + noise.between(sigma, to).mul_scalar(deviation)
                } else {
                    x
                }
            };
            let within = advance(&x, &x0, middle);
            let x0_within = run.denoise(&within, middle)?;
            let share = 1.0 / (2.0 * self.part);
            x = advance(
                &x,
                &weighted_sum([(1.0 - share, &x0), (share, &x0_within)]),
                next,
            );
        }
        Ok(x)
    }
}

/// The level after a part of the way in λ, rounded where single precision rounds: the Brownian path is asked at it, and it
/// is rough enough for the last digit to show.
fn level_between(sigma: f32, next: f32, part: f32) -> f32 {
    let lambda = |sigma: f32| -(f64::from(sigma).ln() as f32);
    let (from, to) = (lambda(sigma), lambda(next));
    let middle = if part < 0.5 {
        from + part * (to - from)
    } else {
        to - (to - from) * (1.0 - part)
    };
    f64::from(-middle).exp() as f32
}
