//! Euler's method with a slope extrapolated from the one before.
//!
//! Source: F. Permenter and C. Yuan, "Interpreting and improving diffusion models from an optimization perspective" (2024),
//! algorithm 2 (gradient estimation).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct GradientEstimation {
    /// 1 is Euler's method, 2 extrapolates in full.
    pub gamma: f64,
    /// Whether x is renoised along the negative prediction.
    pub along_negative: bool,
}

impl GradientEstimation {
    /// The settings of the sampler `gradient_estimation`.
    pub const USUAL: Self = Self {
        gamma: 2.0,
        along_negative: false,
    };
    /// The settings of the sampler `gradient_estimation_cfg_pp`.
    pub const CFG_PP: Self = Self {
        along_negative: true,
        ..Self::USUAL
    };
}

impl Method for GradientEstimation {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut previous: Option<Tensor<4>> = None;
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let (x0, direction) = if self.along_negative {
                let guided = run.denoise_both(&x, levels[0])?;
                let direction = slope(&x, &guided.negative, levels[0]);
                (guided.x0, direction)
            } else {
                let x0 = run.denoise(&x, levels[0])?;
                let direction = slope(&x, &x0, levels[0]);
                (x0, direction)
            };
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let step = next - sigma;
            x = if self.along_negative {
                weighted_sum([(1.0, &x0), (next, &direction)])
            } else {
                weighted_sum([(1.0, &x), (step, &direction)])
            };
            if let Some(previous) = &previous {
                let extra = (self.gamma - 1.0) * step;
                x = weighted_sum([(1.0, &x), (extra, &direction), (-extra, previous)]);
            }
            previous = Some(direction);
        }
        Ok(x)
    }
}
