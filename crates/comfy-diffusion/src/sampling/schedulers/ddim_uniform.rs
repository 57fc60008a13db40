//! Every n-th entry of the table from the bottom, n a whole number.
//!
//! Source: J. Song, C. Meng, S. Ermon, "Denoising diffusion implicit models" (2021), appendix D, "linear" selection.

use super::is_almost_zero;
use crate::sampling::NoiseTable;

/// Entries 1, 1 + n, 1 + 2n, … of the table in descending order, then 0. The whole-number stride may give more levels
/// than asked for. A table whose entry 1 is already 0 needs no further zero and gives one step more.
pub(super) fn ddim_uniform(table: &NoiseTable, steps: usize) -> Vec<f32> {
    let sigmas = &table.sigmas()[1..];
    let ends_at_zero = is_almost_zero(sigmas[0]);
    let steps = steps + usize::from(ends_at_zero);
    let stride = (table.sigmas().len() / steps).max(1);
    let mut chosen: Vec<f32> = sigmas.iter().copied().step_by(stride).collect();
    chosen.reverse();
    if !ends_at_zero {
        chosen.push(0.0);
    }
    chosen
}
