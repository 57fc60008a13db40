//! Heun++: Heun's method with slopes from one or two levels ahead, weighted by the levels themselves.
//!
//! Source: the sampler of this name in the community's web interfaces; the weights of the slopes at the levels
//! ahead are σ/(n·σ₀) with n slopes and σ₀ the run's first level, and the present slope has the rest.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// Three calls of the model a step, two in the last but one step and one in the last.
#[derive(Clone, Copy, Debug)]
pub struct Heunpp2;

impl Method for Heunpp2 {
    #[expect(clippy::float_cmp, reason = "a level is compared with itself")]
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let sigmas = run.sigmas();
        let (Some(&first), Some(&end)) = (sigmas.first(), sigmas.last()) else {
            return Ok(x);
        };
        for index in 0..run.steps() {
            let x0 = run.denoise(&x, sigmas[index])?;
            run.report(index, &x0, &x)?;
            let present = slope(&x, &x0, sigmas[index]);
            // The slopes ahead, each found by a step of Euler's from the one before, until the end is reached.
            let ahead: Vec<f32> = sigmas[index + 1..]
                .iter()
                .copied()
                .take_while(|level| *level != end)
                .take(2)
                .collect();
            let count = (ahead.len() + 1) as f64 * f64::from(first);
            let mut place = x.clone();
            let mut from = sigmas[index];
            let mut newest = present.clone();
            let mut mean = present.clone();
            for level in ahead {
                place =
                    weighted_sum([(1.0, &place), (f64::from(level) - f64::from(from), &newest)]);
                let x0 = run.denoise(&place, level)?;
                newest = slope(&place, &x0, level);
                let weight = f64::from(level) / count;
                mean = weighted_sum([(1.0, &mean), (weight, &newest), (-weight, &present)]);
                from = level;
            }
            let step = f64::from(sigmas[index + 1]) - f64::from(sigmas[index]);
            x = weighted_sum([(1.0, &x), (step, &mean)]);
        }
        Ok(x)
    }
}
