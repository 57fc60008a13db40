//! Stochastic explicit exponential derivative-free solvers.
//!
//! Source: M. Gonzalez et al., "SEEDS: exponential SDE solvers for fast high-quality sampling from diffusion models" (2023),
//! algorithms 2 and 3 with data prediction, in the variables used here (α = 1, λ = −ln σ). Noise drawn for one stage goes
//! on into the later ones, so that all stages follow one path.

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::half_log_snr;
use crate::Result;
use crate::sampling::{Run, StepNoise};

/// Two calls of the model a step, one in a step that ends at no noise.
#[derive(Clone, Copy, Debug)]
pub struct Seeds2;

/// Three calls of the model a step, one in a step that ends at no noise.
#[derive(Clone, Copy, Debug)]
pub struct Seeds3;

impl Method for Seeds2 {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            let mut step = StochasticStep::new(levels[0], levels[1], &[0.5], &mut noise);
            let half = step.stage(0, &x, &[(1.0, &x0)]);
            let x0_half = run.denoise(&half, step.level(0))?;
            // The call in the middle stands for the whole step.
            x = step.stage(1, &x, &[(1.0, &x0_half)]);
        }
        Ok(x)
    }
}

impl Method for Seeds3 {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            let mut step =
                StochasticStep::new(levels[0], levels[1], &[1.0 / 3.0, 2.0 / 3.0], &mut noise);
            let third = step.stage(0, &x, &[(1.0, &x0)]);
            let x0_third = run.denoise(&third, step.level(0))?;
            let change = step.change(1) * 2.0;
            let two_thirds = step.stage(1, &x, &[(1.0 - change, &x0), (change, &x0_third)]);
            let x0_two_thirds = run.denoise(&two_thirds, step.level(1))?;
            let change = step.change(2) * 1.5;
            x = step.stage(2, &x, &[(1.0 - change, &x0), (change, &x0_two_thirds)]);
        }
        Ok(x)
    }
}

/// A step in stages that end after given parts of it in λ.
struct StochasticStep {
    start: f64,
    /// The length of the step in λ.
    length: f64,
    /// Where each stage ends, the last one at 1.
    parts: Vec<f64>,
    /// A draw for each part.
    draws: Vec<Tensor<4>>,
}

impl StochasticStep {
    fn new(sigma: f32, next: f32, inner: &[f64], noise: &mut StepNoise) -> Self {
        let start = half_log_snr(f64::from(sigma));
        let parts: Vec<f64> = inner.iter().copied().chain([1.0]).collect();
        let draws = parts.iter().map(|_| noise.draw()).collect();
        Self {
            start,
            length: half_log_snr(f64::from(next)) - start,
            parts,
            draws,
        }
    }

    /// σ at the end of a stage.
    fn sigma(&self, stage: usize) -> f64 {
        (-(self.start + self.parts[stage] * self.length)).exp()
    }

    fn level(&self, stage: usize) -> f32 {
        self.sigma(stage) as f32
    }

    /// 1 − e^{−2rh}: how much of x₀ enters until the end of a stage.
    fn gain(&self, stage: usize) -> f64 {
        -(-2.0 * self.parts[stage] * self.length).exp_m1()
    }

    /// The weight of a change of x₀ in the prediction of a stage, relative to the gain: (1 − gain/2rh)/gain.
    fn change(&self, stage: usize) -> f64 {
        let gain = self.gain(stage);
        (1.0 - gain / (2.0 * self.parts[stage] * self.length)) / gain
    }

    /// x at the end of a stage, for a prediction of x₀ given as a weighted sum.
    fn stage(
        &mut self,
        stage: usize,
        x: &Tensor<4>,
        prediction: &[(f64, &Tensor<4>)],
    ) -> Tensor<4> {
        let decay = (-self.parts[stage] * self.length).exp();
        // σ′/σ·e^{−rh}, and σ′/σ is e^{−rh} itself.
        let mut result = x.clone().mul_scalar(decay * decay);
        for (weight, x0) in prediction {
            result = result + (*x0).clone().mul_scalar(self.gain(stage) * weight);
        }
        let sigma = self.sigma(stage);
        for (index, draw) in self.draws[..=stage].iter().enumerate() {
            result = result
                + draw
                    .clone()
                    .mul_scalar(sigma * self.noise_weight(stage - index));
        }
        result
    }

    /// The deviation that is left of the noise of one part after `later` more parts.
    fn noise_weight(&self, later: usize) -> f64 {
        let begin = if later == 0 {
            0.0
        } else {
            self.parts[later - 1]
        };
        let remaining = |part: f64| (-2.0 * part * self.length).exp();
        (remaining(begin) - remaining(self.parts[later])).sqrt()
    }
}
