//! Normalisation.

use burn::tensor::Tensor;
use comfy_kernels::normalise::{moments, scale_shift, scale_shift_each, scale_shift_silu};
use rayon::prelude::*;

use super::{GRAIN, contiguous, into_values, tensor, values};

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
