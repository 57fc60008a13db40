//! Filters that work along one axis and then along the other.

use rayon::prelude::*;

use super::{ResizeError, Shape, zeros};

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

    fn iter(&self) -> impl Iterator<Item = (usize, f32)> + '_ {
        self.indices
            .iter()
            .copied()
            .zip(self.weights.iter().copied())
            .take(self.count)
    }
}

/// Resizes with one kind of taps on both axes. Each new row is computed from its few source rows, so no picture of an
/// intermediate size is kept.
pub(super) fn apply(
    pixels: &[f32],
    from: Shape,
    to: Shape,
    taps: &dyn Fn(usize, usize) -> Vec<Taps>,
) -> Result<Vec<f32>, ResizeError> {
    let mut result = zeros::<f32>(to)?;
    let rows = taps(from.height, to.height);
    let columns = taps(from.width, to.width);
    let channels = from.channels;
    result
        .par_chunks_mut(to.width * channels)
        .zip(rows)
        .for_each(|(row, row_taps)| {
            for (pixel, column_taps) in row.chunks_exact_mut(channels).zip(&columns) {
                for (y, row_weight) in row_taps.iter() {
                    let source = &pixels[y * from.width * channels..];
                    for (x, column_weight) in column_taps.iter() {
                        let weight = row_weight * column_weight;
                        for (sum, value) in
                            pixel.iter_mut().zip(&source[x * channels..][..channels])
                        {
                            *sum += weight * value;
                        }
                    }
                }
            }
        });
    Ok(result)
}
