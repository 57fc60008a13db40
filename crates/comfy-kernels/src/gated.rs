//! Gated linear units.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::elementwise;
use crate::operand::{Matrix, Operand};
use crate::product::product;
use crate::result::{Bias, Output, written};
use crate::tile::Tile;

/// Rows that are computed at a time: what they are before the gate is halved again while it is in the caches.
const ROWS: usize = 1024;

/// `kept · gelu(gate)`, where kept and gate are the first and the second half of each row of `rows · right + bias`; `rows` are as long as
/// the right side is deep.
///
/// # Panics
///
/// If the right side has an odd number of lanes, or `rows` are no whole ones.
pub fn gated_product(
    tile: &Tile,
    bias: Option<&[f32]>,
    rows: &[f32],
    right: &dyn Operand,
) -> Vec<f32> {
    let (depth, both) = (right.depth(), right.lanes());
    assert!(both.is_multiple_of(2), "kept and gate are as wide");
    let width = both / 2;
    if depth == 0 || width == 0 {
        return Vec::new();
    }
    assert!(rows.len().is_multiple_of(depth), "rows are whole");
    let write = |places: &mut [MaybeUninit<f32>]| {
        let parts = places.chunks_mut(ROWS * width);
        for (places, rows) in parts.zip(rows.chunks(ROWS * depth)) {
            let output = Output {
                bias: bias.map_or(Bias::None, Bias::OfColumns),
                ..Output::PLAIN
            };
            let rows = Matrix::dense(rows, rows.len() / depth, depth);
            let all = product(tile, output, &rows, right);
            places
                .par_chunks_exact_mut(width)
                .zip(all.par_chunks_exact(both))
                .for_each(|(places, both)| {
                    let (kept, gate) = both.split_at(width);
                    elementwise::set_gated(places, kept, gate);
                });
        }
    };
    #[expect(
        unsafe_code,
        reason = "results are not cleared before they are written"
    )]
    // SAFETY: there is a place in each part for half of each value of its product, and all of them are set.
    unsafe {
        written(rows.len() / depth * width, write)
    }
}
