//! Normalisation, over slices.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::function::{self, multiply_add};
use crate::result::written;
use crate::vectorise::vectorised;

/// What is normalised.
#[derive(Debug)]
pub enum Source<'a> {
    /// Values that the result takes the place of.
    Own(Vec<f32>),
    /// Values that somebody else needs.
    Shared(&'a [f32]),
}

/// What comes after a normalisation.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// One factor per channel or feature.
    pub scale: &'a [f32],
    /// One addend per channel or feature.
    pub shift: &'a [f32],
    /// Added to the variance.
    pub epsilon: f32,
}

/// Normalises groups of as many channels of `[images, channels, pixels]`, with or without `silu` after it.
///
/// # Panics
///
/// If the groups do not divide the channels, or the channels and pixels the values.
pub fn group_norm(
    source: Source,
    affine: &Affine,
    groups: usize,
    pixels: usize,
    silu: bool,
) -> Vec<f32> {
    let channels = affine.scale.len();
    assert!(channels.is_multiple_of(groups), "groups divide channels");
    let of_group = channels / groups;
    // The factor and the addend of each channel of a group.
    let constants = |index: usize, values: &[f32]| {
        let (mean, variance) = moments(values);
        let normalise = 1.0 / (variance + affine.epsilon).sqrt();
        let first = index % groups * of_group;
        (first..first + of_group).map(move |channel| {
            let factor = normalise * affine.scale[channel];
            (factor, affine.shift[channel] - mean * factor)
        })
    };
    map(
        source,
        of_group * pixels,
        1,
        |index, values| {
            let constants = constants(index, values);
            for (values, (factor, addend)) in values.chunks_exact_mut(pixels).zip(constants) {
                if silu {
                    scale_shift_silu(values, factor, addend);
                } else {
                    scale_shift(values, factor, addend);
                }
            }
        },
        |index, values, places| {
            let channels = values.chunks_exact(pixels).zip(constants(index, values));
            for (places, (values, (factor, addend))) in
                places.chunks_exact_mut(pixels).zip(channels)
            {
                if silu {
                    set_scale_shift_silu(places, values, factor, addend);
                } else {
                    set_scale_shift(places, values, factor, addend);
                }
            }
        },
    )
}

/// Normalises rows of features.
///
/// # Panics
///
/// If the values are no whole rows.
pub fn layer_norm(source: Source, affine: &Affine) -> Vec<f32> {
    /// Values of a task, at least.
    const GRAIN: usize = 1 << 14;
    let Affine { scale, shift, .. } = *affine;
    let features = scale.len();
    let constants = |row: &[f32]| {
        let (mean, variance) = moments(row);
        (mean, 1.0 / (variance + affine.epsilon).sqrt())
    };
    map(
        source,
        features,
        GRAIN / features.max(1) + 1,
        |_, row| {
            let (mean, factor) = constants(row);
            scale_shift_each(row, mean, factor, scale, shift);
        },
        |_, row, places| {
            let (mean, factor) = constants(row);
            set_scale_shift_each(places, row, mean, factor, scale, shift);
        },
    )
}

/// Does something to each part of `size` values, at least `least` by a task: in place or from one to another, where all places must be
/// written.
fn map(
    source: Source,
    size: usize,
    least: usize,
    in_place: impl Fn(usize, &mut [f32]) + Sync,
    write: impl Fn(usize, &[f32], &mut [MaybeUninit<f32>]) + Sync,
) -> Vec<f32> {
    let count = match &source {
        Source::Own(values) => values.len(),
        Source::Shared(values) => values.len(),
    };
    if count == 0 {
        return Vec::new();
    }
    assert!(size > 0 && count.is_multiple_of(size), "parts are whole");
    match source {
        Source::Own(mut values) => {
            let parts = values.par_chunks_exact_mut(size).with_min_len(least);
            parts
                .enumerate()
                .for_each(|(index, values)| in_place(index, values));
            values
        }
        Source::Shared(values) => {
            let write = |places: &mut [MaybeUninit<f32>]| {
                let parts = places.par_chunks_exact_mut(size).with_min_len(least);
                parts
                    .zip(values.par_chunks_exact(size))
                    .enumerate()
                    .for_each(|(index, (places, values))| write(index, values, places));
            };
            #[expect(
                unsafe_code,
                reason = "results are not cleared before they are written"
            )]
            // SAFETY: the parts cover all values, and both functions above write as many places as there are values.
            unsafe {
                written(count, write)
            }
        }
    }
}

vectorised! {
    /// `x · factor + addend` of each value.
    fn scale_shift(values: &mut [f32], factor: f32, addend: f32) {
        for value in values {
            *value = multiply_add::<FUSED>(*value, factor, addend);
        }
    }

    /// `silu(x · factor + addend)` of each value.
    fn scale_shift_silu(values: &mut [f32], factor: f32, addend: f32) {
        for value in values {
            *value = function::silu::<FUSED>(multiply_add::<FUSED>(*value, factor, addend));
        }
    }

    /// `(x - mean) · factor · scale + shift` of each value, with a scale and a shift for each.
    fn scale_shift_each(row: &mut [f32], mean: f32, factor: f32, scale: &[f32], shift: &[f32]) {
        for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *value = multiply_add::<FUSED>((*value - mean) * factor, *scale, *shift);
        }
    }

    fn set_scale_shift(places: &mut [MaybeUninit<f32>], values: &[f32], factor: f32, addend: f32) {
        for (place, value) in places.iter_mut().zip(values) {
            place.write(multiply_add::<FUSED>(*value, factor, addend));
        }
    }

    fn set_scale_shift_silu(places: &mut [MaybeUninit<f32>], values: &[f32], factor: f32, addend: f32) {
        for (place, value) in places.iter_mut().zip(values) {
            place.write(function::silu::<FUSED>(multiply_add::<FUSED>(*value, factor, addend)));
        }
    }

    fn set_scale_shift_each(places: &mut [MaybeUninit<f32>], row: &[f32], mean: f32, factor: f32, scale: &[f32], shift: &[f32]) {
        for (((place, value), scale), shift) in places.iter_mut().zip(row).zip(scale).zip(shift) {
            place.write(multiply_add::<FUSED>((*value - mean) * factor, *scale, *shift));
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
