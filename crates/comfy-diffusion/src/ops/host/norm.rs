//! Normalisation.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::vectorise::vectorised;
use super::{GRAIN, contiguous, function, into_values, tensor, values};

/// What comes after a normalisation.
pub(in crate::ops) struct Affine<'a> {
    /// One factor per channel or feature.
    pub(in crate::ops) scale: &'a Tensor<1>,
    /// One addend per channel or feature.
    pub(in crate::ops) shift: &'a Tensor<1>,
    /// Added to the variance.
    pub(in crate::ops) epsilon: f32,
}

/// Normalises groups of channels of `[batch, channels, height, width]`, with or without `silu` after it.
pub(in crate::ops) fn group_norm(
    x: Tensor<4>,
    affine: &Affine,
    groups: usize,
    silu: bool,
) -> Tensor<4> {
    let shape @ [_, channels, height, width] = x.dims();
    let plane = height * width;
    let channels_of_group = channels / groups;
    let (scale, shift) = (
        contiguous(affine.scale.clone()),
        contiguous(affine.shift.clone()),
    );
    let (scale, shift) = (values(&scale), values(&shift));
    let mut all = into_values(x);
    all.par_chunks_mut((channels_of_group * plane).max(1))
        .enumerate()
        .for_each(|(index, group)| {
            let (mean, variance) = moments(group);
            let normalise = 1.0 / (variance + affine.epsilon).sqrt();
            let first = index % groups * channels_of_group;
            for (channel, pixels) in group.chunks_exact_mut(plane).enumerate() {
                let factor = normalise * scale[first + channel];
                let addend = shift[first + channel] - mean * factor;
                if silu {
                    scale_shift_silu(pixels, factor, addend);
                } else {
                    scale_shift(pixels, factor, addend);
                }
            }
        });
    tensor(all, shape)
}

/// Normalises the features of `[batch, tokens, features]`.
pub(in crate::ops) fn layer_norm(x: Tensor<3>, affine: &Affine) -> Tensor<3> {
    let shape @ [_, _, features] = x.dims();
    let (scale, shift) = (
        contiguous(affine.scale.clone()),
        contiguous(affine.shift.clone()),
    );
    let (scale, shift) = (values(&scale), values(&shift));
    let mut all = into_values(x);
    all.par_chunks_exact_mut(features.max(1))
        .with_min_len((GRAIN / features.max(1)).max(1))
        .for_each(|row| {
            let (mean, variance) = moments(row);
            let factor = 1.0 / (variance + affine.epsilon).sqrt();
            scale_shift_each(row, mean, factor, scale, shift);
        });
    tensor(all, shape)
}

vectorised! {
    fn scale_shift(values: &mut [f32], factor: f32, addend: f32) {
        for value in values {
            *value = *value * factor + addend;
        }
    }

    fn scale_shift_silu(values: &mut [f32], factor: f32, addend: f32) {
        for value in values {
            *value = function::silu(*value * factor + addend);
        }
    }

    fn scale_shift_each(row: &mut [f32], mean: f32, factor: f32, scale: &[f32], shift: &[f32]) {
        for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *value = (*value - mean) * factor * scale + shift;
        }
    }

    /// Mean and biased variance, in two passes; sums of many values go through `f64`.
    fn moments(values: &[f32]) -> (f32, f32) {
        let count = values.len() as f64;
        let mean = (sum(values, |value| value) / count) as f32;
        let variance = sum(values, |value| (value - mean) * (value - mean)) / count;
        (mean, variance as f32)
    }
}

/// The sum of a function of the values: `f32` within blocks of a thousand, `f64` over them.
#[inline(always)]
fn sum(values: &[f32], function: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 32;
    let mut total = 0.0;
    for block in values.chunks(LANES * 32) {
        let mut lanes = [0.0_f32; LANES];
        let mut rows = block.chunks_exact(LANES);
        for row in &mut rows {
            for (lane, value) in lanes.iter_mut().zip(row) {
                *lane += function(*value);
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rows.remainder()) {
            *lane += function(*value);
        }
        total += f64::from(lanes.iter().sum::<f32>());
    }
    total
}
