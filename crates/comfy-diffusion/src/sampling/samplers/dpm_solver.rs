//! The steps of DPM-Solver of orders 1 to 3, for the two samplers built on them.
//!
//! Source: C. Lu et al., "DPM-Solver: a fast ODE solver for diffusion probabilistic model sampling in around 10 steps" (2022),
//! algorithms 1, 2 and 4 with noise prediction, in the variables used here (α = 1, λ = −ln σ).

use burn::tensor::Tensor;

use super::arithmetic::{slope, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// σ at λ.
pub(super) fn sigma_at(lambda: f64) -> f64 {
    (-lambda).exp()
}

/// The range of λ that a run goes through: to its last level, or the one before if the last is no noise.
pub(super) fn lambda_range(sigmas: &[f32]) -> Option<(f64, f64)> {
    let last = sigmas.iter().rev().copied().find(|sigma| *sigma != 0.0)?;
    let first = sigmas.first().copied()?;
    Some((-f64::from(first).ln(), -f64::from(last).ln()))
}

/// The model's noise prediction at the beginning of a step, on which steps of several orders can be built.
pub(super) struct DpmStep<'a> {
    x: &'a Tensor<4>,
    start: f64,
    noise: Tensor<4>,
}

/// A prediction of the noise somewhere within the step.
pub(super) struct Within {
    /// The part of the step that is done there.
    part: f64,
    noise: Tensor<4>,
}

impl<'a> DpmStep<'a> {
    /// Calls the model at λ = `start`. Gives the step and the clean latent that the model saw.
    pub(super) fn begin(
        run: &mut Run<'_>,
        x: &'a Tensor<4>,
        start: f64,
    ) -> Result<(Self, Tensor<4>)> {
        let sigma = sigma_at(start) as f32;
        let x0 = run.denoise(x, sigma)?;
        Ok((
            Self {
                x,
                start,
                noise: slope(x, &x0, sigma),
            },
            x0,
        ))
    }

    /// The first-order step to λ = `end`.
    pub(super) fn first_order(&self, end: f64) -> Tensor<4> {
        weighted_sum([(1.0, self.x), (-gain(self.start, end), &self.noise)])
    }

    /// The second-order step through one call within.
    pub(super) fn second_order(&self, within: &Within, end: f64) -> Tensor<4> {
        let gain = gain(self.start, end);
        let change = gain / (2.0 * within.part);
        weighted_sum([
            (1.0, self.x),
            (change - gain, &self.noise),
            (-change, &within.noise),
        ])
    }

    /// The third-order step through a call within that was itself reached through a call.
    pub(super) fn third_order(&self, within: &Within, end: f64) -> Tensor<4> {
        let change = curvature(self.start, end, 1.0) / within.part;
        weighted_sum([
            (1.0, self.x),
            (change - gain(self.start, end), &self.noise),
            (-change, &within.noise),
        ])
    }

    /// Calls the model after a part of the step to λ = `end`, reached by a step of the first order.
    pub(super) fn call(&self, run: &mut Run<'_>, part: f64, end: f64) -> Result<Within> {
        let lambda = self.start + part * (end - self.start);
        call_at(run, &self.first_order(lambda), lambda, part)
    }

    /// The same, reached through an earlier call.
    pub(super) fn call_through(
        &self,
        run: &mut Run<'_>,
        earlier: &Within,
        part: f64,
        end: f64,
    ) -> Result<Within> {
        let lambda = self.start + part * (end - self.start);
        let change = curvature(self.start, lambda, part / earlier.part);
        let x = weighted_sum([
            (1.0, self.x),
            (change - gain(self.start, lambda), &self.noise),
            (-change, &earlier.noise),
        ]);
        call_at(run, &x, lambda, part)
    }
}

fn call_at(run: &mut Run<'_>, x: &Tensor<4>, lambda: f64, part: f64) -> Result<Within> {
    let sigma = sigma_at(lambda) as f32;
    let x0 = run.denoise(x, sigma)?;
    Ok(Within {
        part,
        noise: slope(x, &x0, sigma),
    })
}

/// σ(e^h − 1) at the end of a step of length h: how much of the predicted noise is removed.
fn gain(start: f64, end: f64) -> f64 {
    sigma_at(end) * (end - start).exp_m1()
}

/// σ((e^h − 1)/h − 1)·`ratio`: the weight of the change of the predicted noise.
fn curvature(start: f64, end: f64, ratio: f64) -> f64 {
    let step = end - start;
    sigma_at(end) * (step.exp_m1() / step - 1.0) * ratio
}
