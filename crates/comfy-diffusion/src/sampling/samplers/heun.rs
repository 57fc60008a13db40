//! Heun's method.
//!
//! Source: T. Karras et al., "Elucidating the design space of diffusion-based generative models" (2022), algorithm 1.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{euler_step, slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// Two calls of the model a step, one in a step that ends at no noise: the slope is the mean of those at both ends.
#[derive(Clone, Copy, Debug)]
pub struct Heun;

impl Method for Heun {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let (sigma, next) = (levels[0], levels[1]);
            let x0 = run.denoise(&x, sigma)?;
            run.report(index, &x0, &x)?;
            let end = euler_step(&x, &x0, sigma, f64::from(next));
            if next == 0.0 {
                x = end;
                continue;
            }
            let x0_at_end = run.denoise(&end, next)?;
            let half_step = 0.5 * (f64::from(next) - f64::from(sigma));
            let (first, second) = (slope(&x, &x0, sigma), slope(&end, &x0_at_end, next));
            x = weighted_sum([(1.0, &x), (half_step, &first), (half_step, &second)]);
        }
        Ok(x)
    }
}
