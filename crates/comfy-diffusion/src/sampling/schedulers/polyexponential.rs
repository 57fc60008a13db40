//! Noise levels that are powers of a ramp in ln σ (from the k-diffusion library of K. Crowson).

use super::linspace;

/// `steps` levels from `sigma_max` to `sigma_min`: between their logarithms by a ramp to the power `rho`; then 0.
pub fn polyexponential_between(steps: usize, sigma_min: f64, sigma_max: f64, rho: f64) -> Vec<f32> {
    let span = (sigma_max.ln() - sigma_min.ln()) as f32;
    let low = sigma_min.ln() as f32;
    linspace(1.0, 0.0, steps)
        .into_iter()
        .map(|ramp| (ramp.powf(rho as f32) * span + low).exp())
        .chain([0.0])
        .collect()
}
