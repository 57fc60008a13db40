//! What normalisation consists of, over slices.

use crate::function::{self, multiply_add};
use crate::vectorise::vectorised;

vectorised! {
    /// `x · factor + addend` of each value.
    pub fn scale_shift(values: &mut [f32], factor: f32, addend: f32) {
        for value in values {
            *value = multiply_add::<FUSED>(*value, factor, addend);
        }
    }

    /// `silu(x · factor + addend)` of each value.
    pub fn scale_shift_silu(values: &mut [f32], factor: f32, addend: f32) {
        for value in values {
            *value = function::silu::<FUSED>(multiply_add::<FUSED>(*value, factor, addend));
        }
    }

    /// `(x - mean) · factor · scale + shift` of each value, with a scale and a shift for each.
    pub fn scale_shift_each(row: &mut [f32], mean: f32, factor: f32, scale: &[f32], shift: &[f32]) {
        for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *value = multiply_add::<FUSED>((*value - mean) * factor, *scale, *shift);
        }
    }

    /// Mean and biased variance, in two passes; sums of many values go through `f64`.
    pub fn moments(values: &[f32]) -> (f32, f32) {
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
