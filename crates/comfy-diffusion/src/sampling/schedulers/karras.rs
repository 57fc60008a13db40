//! Noise levels that are equally spaced in σ^(1/ρ).
//!
//! Source: T. Karras, M. Aittala, T. Aila, S. Laine, "Elucidating the design space of diffusion-based generative models"
//! (2022), equation 5.

use super::linspace;
use crate::sampling::NoiseTable;

/// The exponent that the paper found best.
const RHO: f64 = 7.0;

/// Karras' levels between the model's own ends.
pub(super) fn karras(table: &NoiseTable, steps: usize) -> Vec<f32> {
    karras_between(
        steps,
        f64::from(table.sigma_min()),
        f64::from(table.sigma_max()),
        RHO,
    )
}

/// `steps` levels from `sigma_max` to `sigma_min` with exponent `rho`, then 0.
pub fn karras_between(steps: usize, sigma_min: f64, sigma_max: f64, rho: f64) -> Vec<f32> {
    let (low, high) = (sigma_min.powf(1.0 / rho), sigma_max.powf(1.0 / rho));
    let (difference, high) = ((low - high) as f32, high as f32);
    let level = |ramp: f32| f64::from(high + ramp * difference).powf(rho) as f32;
    linspace(0.0, 1.0, steps)
        .into_iter()
        .map(level)
        .chain([0.0])
        .collect()
}
