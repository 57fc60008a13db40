//! Activations, over slices.

use std::mem::MaybeUninit;

use crate::function;
use crate::vectorise::vectorised;

vectorised! {
    /// `x · sigmoid(x)` of each value.
    pub fn silu(values: &mut [f32]) {
        for value in values {
            *value = function::silu::<FUSED>(*value);
        }
    }

    /// `x · Φ(x)` of each value, with the exact normal distribution.
    pub fn gelu(values: &mut [f32]) {
        for value in values {
            *value = function::gelu::<FUSED>(*value);
        }
    }

    /// `x · sigmoid(1.702 · x)` of each value.
    pub fn quick_gelu(values: &mut [f32]) {
        for value in values {
            *value = function::quick_gelu::<FUSED>(*value);
        }
    }

    /// `out = kept · gelu(gate)`
    pub fn gated(out: &mut [f32], kept: &[f32], gate: &[f32]) {
        for ((out, kept), gate) in out.iter_mut().zip(kept).zip(gate) {
            *out = kept * function::gelu::<FUSED>(*gate);
        }
    }

    /// Adds values one by one.
    pub fn add(values: &mut [f32], addend: &[f32]) {
        for (value, addend) in values.iter_mut().zip(addend) {
            *value += addend;
        }
    }

    /// `places = kept · gelu(gate)`
    pub(crate) fn set_gated(places: &mut [MaybeUninit<f32>], kept: &[f32], gate: &[f32]) {
        for ((place, kept), gate) in places.iter_mut().zip(kept).zip(gate) {
            place.write(kept * function::gelu::<FUSED>(*gate));
        }
    }

    /// `places = sums + number`
    pub(crate) fn set_number(places: &mut [MaybeUninit<f32>], sums: &[f32], number: f32) {
        for (place, sum) in places.iter_mut().zip(sums) {
            place.write(sum + number);
        }
    }

    /// `places = sums + numbers`
    pub(crate) fn set_both(places: &mut [MaybeUninit<f32>], sums: &[f32], numbers: &[f32]) {
        for ((place, sum), number) in places.iter_mut().zip(sums).zip(numbers) {
            place.write(sum + number);
        }
    }

    /// `values += sums + number`
    pub(crate) fn add_and_number(values: &mut [f32], sums: &[f32], number: f32) {
        for (value, sum) in values.iter_mut().zip(sums) {
            *value += sum + number;
        }
    }

    /// `values += sums + numbers`
    pub(crate) fn add_both(values: &mut [f32], sums: &[f32], numbers: &[f32]) {
        for ((value, sum), number) in values.iter_mut().zip(sums).zip(numbers) {
            *value += sum + number;
        }
    }

    /// Adds one number to all values.
    pub fn add_number(values: &mut [f32], number: f32) {
        for value in values {
            *value += number;
        }
    }
}
