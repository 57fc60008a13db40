//! Noise levels whose logarithms follow a Laplace distribution.
//!
//! Source: T. Hang, S. Gu, X. Geng, B. Guo, "Improved noise schedule for diffusion training" (2024).

use super::linspace;

/// Keeps logarithms away from that of 0.
const MARGIN: f32 = 1e-5;

/// `steps` levels at equally spaced quantiles of the distribution of ln σ with centre `mu` and width `beta`, within
/// `sigma_min` and `sigma_max`. No 0 follows.
pub fn laplace_between(
    steps: usize,
    sigma_min: f64,
    sigma_max: f64,
    mu: f64,
    beta: f64,
) -> Vec<f32> {
    let (mu, beta) = (mu as f32, beta as f32);
    linspace(0.0, 1.0, steps)
        .into_iter()
        .map(|quantile| {
            let offset = 0.5 - quantile;
            let sign = if offset == 0.0 { 0.0 } else { offset.signum() };
            let logarithm = mu - beta * sign * (1.0 - 2.0 * offset.abs() + MARGIN).ln();
            // The upper limit is the stronger one.
            logarithm.exp().max(sigma_min as f32).min(sigma_max as f32)
        })
        .collect()
}
