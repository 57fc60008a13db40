//! Denoising diffusion implicit models without added noise.
//!
//! Source: J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models" (2021), equation 13 with η = 0, which in
//! the variables used here is Euler's method.

use burn::tensor::Tensor;

use super::{Euler, Method};
use crate::Result;
use crate::sampling::Run;

/// As [`Euler`], but the kept part of a masked latent gets noise of its own.
#[derive(Clone, Copy, Debug)]
pub struct Ddim;

impl Method for Ddim {
    fn run(&self, run: &mut Run<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        Euler.run(run, x)
    }

    fn renews_mask_noise(&self) -> bool {
        true
    }
}
