//! Diffusion exponential integrator sampler.
//!
//! Source: Q. Zhang and Y. Chen, "Fast sampling of diffusion models with exponential integrator" (2023), tAB-DEIS: the
//! predicted noise is extrapolated as a polynomial in the time of a variance-preserving process, of which σ runs from 0.002 to 80.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::slope;
use crate::Result;
use crate::sampling::Run;

/// How many predictions enter a step.
const ORDER: usize = 3;
/// Points of the numerical integrals. The sum over all of them is divided by their number.
const POINTS: usize = 10_000;

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct Deis;

impl Method for Deis {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let process = Process::usual();
        // The time and the predicted noise of the last calls, latest first.
        let mut calls: VecDeque<(f64, Tensor<4>)> = VecDeque::new();
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            calls.push_front((process.time(sigma), slope(&x, &x0, levels[0])));
            calls.truncate(ORDER);
            // Extrapolating to no noise would leave the process, and the first step has nothing to extrapolate.
            let used = if next > 0.0 { calls.len() } else { 1 };
            let times: Vec<f64> = calls.iter().take(used).map(|(time, _)| *time).collect();
            let weights = match used {
                1 => vec![next - sigma],
                _ => process.weights(&times, process.time(next)),
            };
            for ((_, noise), weight) in calls.iter().zip(weights) {
                x = x + noise.clone().mul_scalar(weight);
            }
        }
        Ok(x)
    }
}

/// A variance-preserving process with β growing linearly in time.
struct Process {
    /// β at time 0.
    start: f64,
    /// How much β grows until time 1.
    growth: f64,
}

impl Process {
    /// The process whose σ is 0.002 at time 0.001 and 80 at time 1.
    fn usual() -> Self {
        const FIRST_TIME: f64 = 1e-3;
        let first = (0.002_f64.powi(2) + 1.0).ln();
        let last = (80.0_f64.powi(2) + 1.0).ln();
        let growth = 2.0 * (first / FIRST_TIME - last) / (FIRST_TIME - 1.0);
        Self {
            start: last - 0.5 * growth,
            growth,
        }
    }

    /// The time at which the process has this σ.
    fn time(&self, sigma: f64) -> f64 {
        let noise = (sigma * sigma + 1.0).ln();
        ((self.start * self.start + 2.0 * self.growth * noise).sqrt() - self.start) / self.growth
    }

    /// dσ/dt, from σ² = exp(∫β) − 1.
    fn sigma_rate(&self, time: f64) -> f64 {
        let integral = 0.5 * self.growth * time * time + self.start * time;
        let rate = self.growth * time + self.start;
        0.5 * rate * integral.exp() / integral.exp_m1().sqrt()
    }

    /// ∫ from the first of `times` to `end` of dσ/dt times each Lagrange polynomial on `times`.
    fn weights(&self, times: &[f64], end: f64) -> Vec<f64> {
        let from = times[0];
        let spacing = (end - from) / (POINTS - 1) as f64;
        let mut sums = vec![0.0; times.len()];
        for point in 0..POINTS {
            let time = from + spacing * point as f64;
            let rate = self.sigma_rate(time);
            for (node, sum) in sums.iter_mut().enumerate() {
                let factor = |(index, other): (usize, &f64)| {
                    if index == node {
                        1.0
                    } else {
                        (time - other) / (times[node] - other)
                    }
                };
                *sum += rate * times.iter().enumerate().map(factor).product::<f64>();
            }
        }
        sums.into_iter()
            .map(|sum| sum * (end - from) / POINTS as f64)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn times_and_weights_fit_the_process() {
        let process = Process::usual();
        assert!((process.time(80.0) - 1.0).abs() < 1e-12);
        assert!((process.time(0.002) - 0.001).abs() < 1e-12);
        // The weights of all predictions add up to the change of σ.
        let times = [5.0, 9.0, 14.0].map(|sigma| process.time(sigma));
        let sum: f64 = process.weights(&times, process.time(3.0)).iter().sum();
        assert!((sum + 2.0).abs() < 1e-3, "{sum}");
    }
}
