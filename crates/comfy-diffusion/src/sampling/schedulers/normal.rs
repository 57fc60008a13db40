//! Time steps at equal distances, both ends included.

use super::{is_almost_zero, linspace};
use crate::sampling::NoiseTable;

/// σ at `steps` equally spaced time steps, then 0; a table that itself ends at 0 gives one more step instead.
pub(super) fn normal(table: &NoiseTable, steps: usize) -> Vec<f32> {
    let (first, last) = (
        table.timestep(table.sigma_max()),
        table.timestep(table.sigma_min()),
    );
    let ends_at_zero = is_almost_zero(table.sigma(last));
    let timesteps = linspace(first, last, steps + usize::from(ends_at_zero));
    let mut sigmas: Vec<f32> = timesteps
        .into_iter()
        .map(|timestep| table.sigma(timestep))
        .collect();
    if !ends_at_zero {
        sigmas.push(0.0);
    }
    sigmas
}
