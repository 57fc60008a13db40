//! A slow linear beginning followed by a quadratic end.
//!
//! Source: A. Polyak et al., "Movie Gen: a cast of media foundation models" (2024), §3.4.2, "linear-quadratic schedule".

use crate::sampling::NoiseTable;

/// The part of the way that the linear half covers.
const THRESHOLD: f64 = 0.025;

/// In the first half of the steps the progress (1 − σ/σₘₐₓ) grows linearly to the threshold; in the second it goes on
/// with the same slope and a quadratic term that brings it to 1.
pub(super) fn linear_quadratic(table: &NoiseTable, steps: usize) -> Vec<f32> {
    let linear_steps = steps / 2;
    let quadratic_steps = (steps - linear_steps) as f64;
    // A single step has no linear half, hence no slope; it begins at no progress.
    let (slope, base) = if linear_steps == 0 {
        (0.0, 0.0)
    } else {
        (THRESHOLD / linear_steps as f64, THRESHOLD)
    };
    let curvature = (1.0 - base - slope * quadratic_steps) / (quadratic_steps * quadratic_steps);
    let progress = |step: usize| {
        if step < linear_steps {
            slope * step as f64
        } else {
            let beyond = (step - linear_steps) as f64;
            base + slope * beyond + curvature * beyond * beyond
        }
    };
    let level = |step: usize| (1.0 - progress(step)) as f32 * table.sigma_max();
    (0..steps).map(level).chain([0.0]).collect()
}
