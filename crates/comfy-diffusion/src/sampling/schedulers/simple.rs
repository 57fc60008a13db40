//! Every n-th entry of the model's own table, from the top.

use crate::sampling::NoiseTable;

/// Entries of the table at equal distances, counted from the largest σ, then 0.
pub(super) fn simple(table: &NoiseTable, steps: usize) -> Vec<f32> {
    let sigmas = table.sigmas();
    let stride = sigmas.len() as f64 / steps as f64;
    let from_top = |step: usize| sigmas[sigmas.len() - 1 - (step as f64 * stride) as usize];
    (0..steps).map(from_top).chain([0.0]).collect()
}
