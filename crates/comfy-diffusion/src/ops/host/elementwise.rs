//! Activations and resampling.

use burn::tensor::Tensor;
use comfy_kernels::elementwise;
use rayon::prelude::*;

use super::{GRAIN, contiguous, into_values, tensor, values};

pub(in crate::ops) fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    in_place(x, elementwise::silu)
}

pub(in crate::ops) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    in_place(x, elementwise::gelu)
}

pub(in crate::ops) fn quick_gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    in_place(x, elementwise::quick_gelu)
}

fn in_place<const D: usize>(x: Tensor<D>, function: fn(&mut [f32])) -> Tensor<D> {
    let shape = x.dims();
    let mut all = into_values(x);
    all.par_chunks_mut(GRAIN).for_each(function);
    tensor(all, shape)
}

/// Of `[batch, tokens, 2 · width]`, the first half times the activated second half.
pub(in crate::ops) fn geglu(x: Tensor<3>) -> Tensor<3> {
    let [batch, tokens, both] = x.dims();
    let width = both / 2;
    let x = contiguous(x);
    let mut all = vec![0.0; batch * tokens * width];
    let tasks = all
        .par_chunks_exact_mut(width.max(1))
        .zip(values(&x).par_chunks_exact(both.max(1)));
    tasks
        .with_min_len((GRAIN / both.max(1)).max(1))
        .for_each(|(out, both)| {
            let (kept, gate) = both.split_at(width);
            elementwise::gated(out, kept, gate);
        });
    tensor(all, [batch, tokens, width])
}

/// Each pixel becomes four.
pub(in crate::ops) fn upsample_nearest_2x(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let x = contiguous(x);
    let plane = height * width;
    let mut all = vec![0.0; batch * channels * plane * 4];
    all.par_chunks_mut((plane * 4).max(1))
        .zip(values(&x).par_chunks(plane.max(1)))
        .for_each(|(out, plane)| {
            let rows = out
                .chunks_exact_mut(4 * width)
                .zip(plane.chunks_exact(width));
            for (two_rows, row) in rows {
                let (first, second) = two_rows.split_at_mut(2 * width);
                for (pair, value) in first.chunks_exact_mut(2).zip(row) {
                    pair.fill(*value);
                }
                second.copy_from_slice(first);
            }
        });
    tensor(all, [batch, channels, 2 * height, 2 * width])
}
