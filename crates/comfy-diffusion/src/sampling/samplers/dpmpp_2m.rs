//! DPM-Solver++(2M).
//!
//! Source: C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models" (2022),
//! algorithm 2, in the variables used here (α = 1, λ = −ln σ).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::weighted_sum;
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step; from the second step on, x₀ is extrapolated through the step before.
#[derive(Clone, Copy, Debug)]
pub struct Dpmpp2m;

impl Method for Dpmpp2m {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut previous: Option<(f64, Tensor<4>)> = None;
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            let rest = next / sigma;
            let step = sigma.ln() - next.ln();
            x = match &previous {
                Some((previous_step, previous_x0)) if next > 0.0 => {
                    let extrapolation = step / (2.0 * previous_step);
                    let gain = 1.0 - rest;
                    let x0_terms = (gain * (1.0 + extrapolation), -gain * extrapolation);
                    weighted_sum([(rest, &x), (x0_terms.0, &x0), (x0_terms.1, previous_x0)])
                }
                _ => weighted_sum([(rest, &x), (1.0 - rest, &x0)]),
            };
            previous = Some((step, x0));
        }
        Ok(x)
    }
}
