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

/// Between which levels noise is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoisyLevels {
    /// On a part of the way, 0 to 1.
    Progress(f64, f64),
    /// From one σ down to another.
    Sigmas(f64, f64),
}

/// One call of the model a step, or two.
#[derive(Clone, Copy, Debug)]
pub struct SaSolver {
    /// Between which levels noise is added.
    pub noisy: NoisyLevels,
    /// How many calls the predictor uses, at least 1.
    pub predictor_order: usize,
    /// How many calls the corrector uses; 0 corrects nothing.
    pub corrector_order: usize,
    /// Whether steps of two calls take the paper's simpler coefficients (its appendix D).
    pub is_simple: bool,
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
        noisy: NoisyLevels::Progress(0.2, 0.8),
        predictor_order: 3,
        corrector_order: 4,
        is_simple: false,
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
        let (first_noisy, last_noisy) = match self.noisy {
            NoisyLevels::Progress(start, end) => {
                (table.percent_to_sigma(start), table.percent_to_sigma(end))
            }
            NoisyLevels::Sigmas(first, last) => (first, last),
        };
        let predictor_order = self.predictor_order.max(1);
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
            calls.truncate(self.corrector_order.max(predictor_order));
            let order = |highest: usize, ahead: usize| {
                let order = highest.min(calls.len());
                if lowers_order {
                    order.min(ahead)
                } else {
                    order
                }
            };
            let corrector_order = order(self.corrector_order, steps - index);
            let predictor_order = order(predictor_order, steps - index - 1);
            let corrects = corrector_order > 0 && (next != 0.0 || self.evaluates_corrected);
            match last_step.as_ref().filter(|_| corrects) {
                None => x = predicted,
                Some(step) => {
                    let used: Vec<_> = calls.iter().take(corrector_order).collect();
                    let simple =
                        (self.is_simple && used.len() == 2).then(|| step.simple_correction());
                    x = step.advance(&x, &used, simple);
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
            let used: Vec<_> = calls.iter().take(predictor_order).collect();
            let simple =
                (self.is_simple && used.len() == 2).then(|| step.simple_prediction(used[1].0));
            predicted = step.advance(&x, &used, simple);
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

    /// The weights of the call at the end of the step and the one at its beginning, by the simpler corrector.
    fn simple_correction(&self) -> [f64; 2] {
        let rate = 1.0 + self.tau * self.tau;
        let newest = 0.5 * rate * self.length();
        let all = -(-self.length() * rate).exp_m1();
        [newest, all - newest]
    }

    /// The weights of the call at the beginning of the step and one at λ = `earlier` before it, by the simpler predictor.
    fn simple_prediction(&self, earlier: f64) -> [f64; 2] {
        let rate = 1.0 + self.tau * self.tau;
        let length = self.length();
        let older = 0.5 * rate * length * length / (earlier - half_log_snr(self.from));
        [-(-length * rate).exp_m1() - older, older]
    }

    /// x at the end of the step, with x₀ the polynomial in λ through `calls`, latest first, unless weights are given.
    fn advance(
        &self,
        x: &Tensor<4>,
        calls: &[&(f64, Tensor<4>)],
        weights: Option<[f64; 2]>,
    ) -> Tensor<4> {
        let end = half_log_snr(self.to);
        let nodes: Vec<f64> = calls.iter().map(|(lambda, _)| lambda - end).collect();
        let weights = weights.map_or_else(
            || solve_powers(&nodes, &self.moments(nodes.len())),
            Vec::from,
        );
        let decay = (-self.tau * self.tau * self.length()).exp();
        let mut result = x.clone().mul_scalar(self.to / self.from * decay);
        for ((_, x0), weight) in calls.iter().copied().zip(weights) {
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
