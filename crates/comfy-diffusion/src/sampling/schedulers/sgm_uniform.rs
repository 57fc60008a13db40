//! Time steps at equal distances whose last interval ends at the smallest noise level, which is then left out.
//!
//! Source: the "trailing" spacing of Lin et al., "Common diffusion noise schedules and sample steps are flawed" (2023).

use super::linspace;
use crate::sampling::NoiseTable;

/// σ at the first `steps` of `steps` + 1 equally spaced time steps from the last to the first, then 0.
pub(super) fn sgm_uniform(table: &NoiseTable, steps: usize) -> Vec<f32> {
    let (first, last) = (
        table.timestep(table.sigma_max()),
        table.timestep(table.sigma_min()),
    );
    let timesteps = linspace(first, last, steps + 1);
    timesteps[..steps]
        .iter()
        .map(|&timestep| table.sigma(timestep))
        .chain([0.0])
        .collect()
}
