//! Without particular instructions: what the compiler makes of plain loops.

use super::{Layout, Tile, nothing};
use crate::function::{FUSED, multiply_add};

const ROWS: usize = 4;
const LANES: usize = 16;

pub(super) fn single() -> Tile {
    Tile {
        rows: ROWS,
        lanes: LANES,
        layout: Layout::Values,
        name: "plain",
        run,
        prepare: nothing,
        release: nothing,
    }
}

fn run(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    let mut sums = [[0.0_f32; LANES]; ROWS];
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for (sums, left) in sums.iter_mut().zip(left) {
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = multiply_add::<FUSED>(*left, *right, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let result = &mut result[row * row_stride..][..LANES];
        for (result, sum) in result.iter_mut().zip(sums) {
            *result = if add { *result + sum } else { *sum };
        }
    }
}
