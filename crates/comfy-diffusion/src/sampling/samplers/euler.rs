//! Euler's method.
//!
//! Source: T. Karras et al., "Elucidating the design space of diffusion-based generative models" (2022), algorithm 1
//! without its second-order part.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::euler_step;
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step, no added noise.
#[derive(Clone, Copy, Debug)]
pub struct Euler;

impl Method for Euler {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            x = euler_step(&x, &x0, levels[0], f64::from(levels[1]));
        }
        Ok(x)
    }
}
