//! Filters of a few taps on each axis.
//!
//! Sums are added in the order of `PyTorch`'s kernels for pictures whose channels lie together, with multiplications fused as its
//! compiler fuses them: writing a picture cuts values off to bytes, so a difference in the last bit can be seen.

use rayon::prelude::*;

use super::Shape;

/// Source indices and weights of one new index.
#[derive(Debug, Clone)]
pub(super) struct Taps {
    indices: [usize; 4],
    weights: [f32; 4],
    count: usize,
}

impl Taps {
    /// At most four taps.
    pub(super) fn new(taps: &[(usize, f32)]) -> Self {
        let mut result = Self {
            indices: [0; 4],
            weights: [0.0; 4],
            count: taps.len(),
        };
        for (slot, &(index, weight)) in taps.iter().enumerate() {
            result.indices[slot] = index;
            result.weights[slot] = weight;
        }
        result
    }

    fn iter(&self) -> impl Iterator<Item = (usize, f32)> + Clone + '_ {
        let indices = self.indices.iter().copied();
        indices.zip(self.weights.iter().copied()).take(self.count)
    }
}

/// How the taps of the two axes are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// One sum over all source pixels, each with the product of its weights.
    Products,
    /// A sum over rows of sums over columns.
    RowsOfColumns,
}

/// Resizes with one kind of taps on both axes. Each new row is computed from its few source rows, so no picture of an
/// intermediate size is kept.
pub(super) fn apply(
    pixels: &[f32],
    from: Shape,
    to: Shape,
    order: Order,
    taps: &dyn Fn(usize, usize) -> Vec<Taps>,
    result: &mut [f32],
) {
    let rows = taps(from.height, to.height);
    let columns = taps(from.width, to.width);
    let channels = from.channels;
    result
        .par_chunks_mut(to.width * channels)
        .zip(rows)
        .for_each(|(row, row_taps)| {
            for (pixel, column_taps) in row.chunks_exact_mut(channels).zip(&columns) {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    let at = |y: usize, x: usize| pixels[(y * from.width + x) * channels + channel];
                    *value = match order {
                        Order::Products => sum(row_taps.iter().flat_map(|(y, row_weight)| {
                            column_taps
                                .iter()
                                .map(move |(x, weight)| (at(y, x), row_weight * weight))
                        })),
                        Order::RowsOfColumns => sum(row_taps.iter().map(|(y, row_weight)| {
                            (
                                sum(column_taps.iter().map(|(x, weight)| (at(y, x), weight))),
                                row_weight,
                            )
                        })),
                    };
                }
            }
        });
}

/// The sum of values times weights. The second product is rounded, the first is added to it unrounded, then come the others.
fn sum(mut terms: impl Iterator<Item = (f32, f32)>) -> f32 {
    let first = terms.next().unwrap_or_default();
    let second = terms.next().map_or(0.0, |(value, weight)| value * weight);
    terms.fold(fused(first.0, first.1, second), |sum, (value, weight)| {
        fused(value, weight, sum)
    })
}

/// `a * b + c`, rounded once; in `f64` the product is exact.
pub(super) fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}
