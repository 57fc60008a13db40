//! Noise levels of the continuous variance-preserving process.
//!
//! Source: Y. Song et al., "Score-based generative modeling through stochastic differential equations" (2021), appendix C.

use super::linspace;

/// `steps` levels at equally spaced times from 1 to `last_time`, where β grows by `beta_growth` from `beta_min`; then 0.
pub fn variance_preserving(
    steps: usize,
    beta_growth: f64,
    beta_min: f64,
    last_time: f64,
) -> Vec<f32> {
    let (growth, beta_min) = (beta_growth as f32, beta_min as f32);
    linspace(1.0, last_time as f32, steps)
        .into_iter()
        .map(|time| {
            (growth * (time * time) / 2.0 + beta_min * time)
                .exp_m1()
                .sqrt()
        })
        .chain([0.0])
        .collect()
}
