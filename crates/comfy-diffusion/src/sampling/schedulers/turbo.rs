//! The noise levels that distilled models of few steps were trained at.

use crate::sampling::NoiseTable;

/// The levels a distilled model knows.
const LEVELS: usize = 10;

/// The first `steps` of the ten time steps 999, 899, …, 99 after leaving out those that `denoise` (0 to 1) does not need; then 0.
pub fn turbo(table: &NoiseTable, steps: usize, denoise: f64) -> Vec<f32> {
    let first = LEVELS - ((LEVELS as f64 * denoise) as usize).min(LEVELS);
    (1..=LEVELS)
        .rev()
        .skip(first)
        .take(steps)
        .map(|level| table.sigma((level * 100 - 1) as f32))
        .chain([0.0])
        .collect()
}
