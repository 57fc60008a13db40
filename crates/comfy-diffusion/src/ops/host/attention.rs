//! Attention.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::gemm::{Matrix, Output, Threads, product};
use super::vectorise::vectorised;
use super::{contiguous, function, tensor, values};
use crate::ops::attention::Mask;

/// Scores that one thread holds at a time: they stay in its cache.
const SCORES: usize = 1 << 19;

/// `softmax(q · kᵀ / √size) · v` for each head, heads side by side in the last dimension.
///
/// Each task takes a block of queries through all heads, so that the heads are read and written where they lie.
pub(in crate::ops) fn attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
    mask: Mask,
) -> Tensor<3> {
    let [batch, queries, width] = query.dims();
    let keys = key.dims()[1];
    let size = width / heads;
    let (query, key, value) = (contiguous(query), contiguous(key), contiguous(value));
    let (query, key, value) = (values(&query), values(&key), values(&value));
    let factor = 1.0 / (size as f32).sqrt();
    let mut all = vec![0.0; batch * queries * width];
    let block = block_of(batch * queries, keys);
    let images = all.par_chunks_mut((queries * width).max(1)).enumerate();
    images.for_each(|(image, out)| {
        let query = &query[image * queries * width..][..queries * width];
        let key = &key[image * keys * width..][..keys * width];
        let value = &value[image * keys * width..][..keys * width];
        let blocks = out.par_chunks_mut(block * width).enumerate();
        blocks.for_each_init(
            || vec![0.0; block * keys],
            |scores, (index, out)| {
                let first = index * block;
                let rows = out.len() / width;
                let query = &query[first * width..][..rows * width];
                let scores = &mut scores[..rows * keys];
                for head in 0..heads {
                    let start = head * size;
                    let left = Matrix::rows(&query[start..], rows, size, width);
                    let right = Matrix::rows(&key[start..], keys, size, width).transposed();
                    product(dense(scores, keys), left, right, factor, Threads::One);
                    let mut sums = vec![0.0; rows];
                    for (row, sum) in sums.iter_mut().enumerate() {
                        let scores = &mut scores[row * keys..][..keys];
                        let seen = match mask {
                            Mask::None => keys,
                            Mask::Causal => (first + row + 1).min(keys),
                        };
                        *sum = exponentials(&mut scores[..seen]);
                        scores[seen..].fill(0.0);
                    }
                    let left = Matrix::dense(scores, rows, keys);
                    let right = Matrix::rows(&value[start..], keys, size, width);
                    let output = Output {
                        values: &mut out[start..],
                        row_stride: width,
                        accumulate: false,
                    };
                    product(output, left, right, 1.0, Threads::One);
                    // Dividing the results by the sum is less work than dividing the scores.
                    for (row, sum) in sums.iter().enumerate() {
                        let inverse = 1.0 / sum;
                        for value in &mut out[row * width + start..][..size] {
                            *value *= inverse;
                        }
                    }
                }
            },
        );
    });
    tensor(all, [batch, queries, width])
}

fn dense(values: &mut [f32], row_stride: usize) -> Output<'_> {
    Output {
        values,
        row_stride,
        accumulate: false,
    }
}

/// How many queries a task takes: enough tasks for all threads, not more scores than stay in the cache.
fn block_of(queries: usize, keys: usize) -> usize {
    let for_threads = queries.div_ceil(2 * rayon::current_num_threads());
    let for_cache = SCORES / keys.max(1);
    for_threads.min(for_cache).clamp(8, 128)
}

vectorised! {
    /// Replaces scores by the exponentials of their distances to the largest, and gives their sum.
    fn exponentials(scores: &mut [f32]) -> f32 {
        const LANES: usize = 32;
        let mut largest = [f32::NEG_INFINITY; LANES];
        let mut rows = scores.chunks_exact(LANES);
        for row in &mut rows {
            for (lane, score) in largest.iter_mut().zip(row) {
                *lane = if *score > *lane { *score } else { *lane };
            }
        }
        let rest = rows.remainder().iter().copied();
        let largest = largest.into_iter().chain(rest).fold(f32::NEG_INFINITY, f32::max);
        let mut sums = [0.0; LANES];
        let mut rows = scores.chunks_exact_mut(LANES);
        for row in &mut rows {
            for (sum, score) in sums.iter_mut().zip(row) {
                let value = function::exp(*score - largest);
                *score = value;
                *sum += value;
            }
        }
        let mut sum = sums.into_iter().sum();
        for score in rows.into_remainder() {
            let value = function::exp(*score - largest);
            *score = value;
            sum += value;
        }
        sum
    }
}
