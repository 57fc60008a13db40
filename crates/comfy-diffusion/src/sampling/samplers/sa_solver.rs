//! Stochastic Adams solver: predictor and corrector with a controlled amount of noise.
//!
//! Source: S. Xue et al., "SA-Solver: stochastic Adams solver for fast sampling of diffusion models" (2023), algorithms 1 to
//! 3 with data prediction, in the variables used here (α = 1, λ = −ln σ).

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{half_log_snr, solve_powers};
use crate::Result;
use crate::sampling::Run;

/// The part of the way on which noise is added.
const NOISY_PART: (f64, f64) = (0.2, 0.8);
const PREDICTOR_ORDER: usize = 3;
const CORRECTOR_ORDER: usize = 4;

/// One call of the model a step, or two.
#[derive(Clone, Copy, Debug)]
pub struct SaSolver {
    /// The strength τ of the noise while it is added; 0 for none.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
    /// Whether the model is called again on each corrected x.
    pub evaluates_corrected: bool,
}

impl SaSolver {
    /// The settings of the sampler `sa_solver`.
    pub const USUAL: Self = Self {
        eta: 1.0,
        noise_scale: 1.0,
        evaluates_corrected: false,
    };
    /// The settings of the sampler `sa_solver_pece`.
    pub const PECE: Self = Self {
        evaluates_corrected: true,
        ..Self::USUAL
    };
}

/// A step between two levels.
struct AdamsStep {
    from: f64,
    to: f64,
    /// The strength of the noise.
    tau: f64,
    noise: Option<Tensor<4>>,
}

impl Method for SaSolver {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let sigmas = run.sigmas();
        let steps = run.steps();
        let mut noise = run.noise_like(&x);
        let table = &run.sampling().table;
        let (first_noisy, last_noisy) = (
            table.percent_to_sigma(NOISY_PART.0),
            table.percent_to_sigma(NOISY_PART.1),
        );
        // Where the levels end at no noise the orders go down before.
        let lowers_order = sigmas.last() == Some(&0.0);
        let mut predicted = x.clone();
        // λ and x₀ of the last calls, latest first.
        let mut calls: VecDeque<(f64, Tensor<4>)> = VecDeque::new();
        let mut last_step: Option<AdamsStep> = None;
        for (index, levels) in sigmas.windows(2).enumerate() {
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let mut x0 = run.denoise(&predicted, levels[0])?;
            run.report(index, &x0, &predicted)?;
            calls.push_front((half_log_snr(sigma), x0.clone()));
            calls.truncate(CORRECTOR_ORDER.max(PREDICTOR_ORDER));
            let order = |highest: usize, ahead: usize| {
                let order = highest.min(calls.len());
                if lowers_order {
                    order.min(ahead)
                } else {
                    order
                }
            };
            let corrector_order = order(CORRECTOR_ORDER, steps - index);
            let predictor_order = order(PREDICTOR_ORDER, steps - index - 1);
            match last_step
                .as_ref()
                .filter(|_| next != 0.0 || self.evaluates_corrected)
            {
                None => x = predicted,
                Some(step) => {
                    x = step.advance(&x, calls.iter().take(corrector_order));
                    if self.evaluates_corrected {
                        x0 = run.denoise(&x, levels[0])?;
                        calls[0].1 = x0.clone();
                    }
                }
            }
            if next == 0.0 {
                predicted = x0;
                continue;
            }
            let tau = if next <= first_noisy && next >= last_noisy {
                self.eta.max(0.0)
            } else {
                0.0
            };
            let mut step = AdamsStep {
                from: sigma,
                to: next,
                tau,
                noise: None,
            };
            let deviation = step.deviation() * self.noise_scale;
            if deviation > 0.0 {
                step.noise = Some(noise.draw().mul_scalar(deviation));
            }
            predicted = step.advance(&x, calls.iter().take(predictor_order));
            last_step = Some(step);
        }
        Ok(predicted)
    }
}

impl AdamsStep {
    fn length(&self) -> f64 {
        half_log_snr(self.to) - half_log_snr(self.from)
    }

    /// The deviation of the noise that the step adds: σ√(1 − e^{−2τ²h}).
    fn deviation(&self) -> f64 {
        self.to * (-(-2.0 * self.tau * self.tau * self.length()).exp_m1()).sqrt()
    }

    /// x at the end of the step, with x₀ the polynomial in λ through `calls`.
    fn advance<'c>(
        &self,
        x: &Tensor<4>,
        calls: impl Iterator<Item = &'c (f64, Tensor<4>)>,
    ) -> Tensor<4> {
        let calls: Vec<_> = calls.collect();
        let end = half_log_snr(self.to);
        let nodes: Vec<f64> = calls.iter().map(|(lambda, _)| lambda - end).collect();
        let weights = solve_powers(&nodes, &self.moments(nodes.len()));
        let decay = (-self.tau * self.tau * self.length()).exp();
        let mut result = x.clone().mul_scalar(self.to / self.from * decay);
        for ((_, x0), weight) in calls.into_iter().zip(weights) {
            result = result + x0.clone().mul_scalar(weight);
        }
        match &self.noise {
            Some(noise) => result + noise.clone(),
            None => result,
        }
    }

    /// ∫ k·e^{ku}·uᵖ du from −h to 0 for each power p, with k = 1 + τ², by parts.
    fn moments(&self, count: usize) -> Vec<f64> {
        let rate = 1.0 + self.tau * self.tau;
        let length = self.length();
        let boundary = (-rate * length).exp();
        let mut moments: Vec<f64> = Vec::with_capacity(count);
        for power in 0..count {
            let moment = match moments.last() {
                None => 1.0 - boundary,
                Some(lower) => {
                    -(-length).powi(power as i32) * boundary - power as f64 / rate * lower
                }
            };
            moments.push(moment);
        }
        moments
    }
}
