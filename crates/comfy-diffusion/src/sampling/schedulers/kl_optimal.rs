//! Noise levels that are equally spaced in arctan σ.
//!
//! Source: A. Sabour, S. Fidler, K. Kreis, "Align your steps: optimizing sampling schedules in diffusion models" (2024),
//! theorem 3.1: the schedule with the least Kullback-Leibler bound for Gaussian data.

use crate::sampling::NoiseTable;

/// KL-optimal levels between the model's own ends.
pub(super) fn kl_optimal(table: &NoiseTable, steps: usize) -> Vec<f32> {
    kl_optimal_between(
        steps,
        f64::from(table.sigma_min()),
        f64::from(table.sigma_max()),
    )
}

/// `steps` levels from `sigma_max` to `sigma_min`, then 0. A single step has no place between the two ends: its level
/// is not a number, as in the original.
pub fn kl_optimal_between(steps: usize, sigma_min: f64, sigma_max: f64) -> Vec<f32> {
    let (low, high) = (sigma_min.atan() as f32, sigma_max.atan() as f32);
    let last = (steps.max(1) - 1) as f32;
    let level = |step: usize| {
        let place = step as f32 / last;
        f64::from(place * low + (1.0 - place) * high).tan() as f32
    };
    (0..steps).map(level).chain([0.0]).collect()
}
