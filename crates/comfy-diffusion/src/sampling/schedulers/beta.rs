//! Time steps at the quantiles of a beta distribution: dense at both ends.
//!
//! Source: T. Lee et al., "Beta sampling is all you need: efficient image generation strategy for diffusion models using
//! stepwise spectral analysis" (2024).

use super::incomplete_beta::beta_quantile;
use crate::sampling::NoiseTable;

/// Both parameters of the distribution, as the paper has them.
const SHAPE: f64 = 0.6;

/// Beta levels with the paper's parameters.
pub(super) fn beta(table: &NoiseTable, steps: usize) -> Vec<f32> {
    beta_with(table, steps, SHAPE, SHAPE)
}

/// Entries of the table at equally spaced quantiles of Beta(`alpha`, `beta`), each entry once, then 0. Many steps fall on
/// the same entry, so there may be fewer levels than asked for.
pub fn beta_with(table: &NoiseTable, steps: usize, alpha: f64, beta: f64) -> Vec<f32> {
    let sigmas = table.sigmas();
    let last = (sigmas.len() - 1) as f64;
    let mut entries: Vec<usize> = (0..steps)
        .map(|step| {
            let probability = 1.0 - step as f64 / steps as f64;
            (beta_quantile(probability, alpha, beta) * last).round_ties_even() as usize
        })
        .collect();
    entries.dedup();
    entries
        .into_iter()
        .map(|entry| sigmas[entry])
        .chain([0.0])
        .collect()
}
