//! Noise levels that are equally spaced in log σ.

use super::linspace;
use crate::sampling::NoiseTable;

/// Exponential levels between the model's own ends.
pub(super) fn exponential(table: &NoiseTable, steps: usize) -> Vec<f32> {
    exponential_between(
        steps,
        f64::from(table.sigma_min()),
        f64::from(table.sigma_max()),
    )
}

/// `steps` levels from `sigma_max` to `sigma_min` at equal ratios, then 0.
pub fn exponential_between(steps: usize, sigma_min: f64, sigma_max: f64) -> Vec<f32> {
    let logarithms = linspace(sigma_max.ln() as f32, sigma_min.ln() as f32, steps);
    logarithms
        .into_iter()
        .map(|logarithm| f64::from(logarithm).exp() as f32)
        .chain([0.0])
        .collect()
}
