//! What matrices may hold.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A number that is widened to `f32` without loss.
pub trait Element: Copy + Send + Sync {
    /// Widens as many values as both slices have.
    fn widen(from: &[Self], to: &mut [f32]);
}

impl Element for f32 {
    fn widen(from: &[Self], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
}

impl Element for f16 {
    fn widen(from: &[Self], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
}

impl Element for bf16 {
    fn widen(from: &[Self], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = f32::from_bits(u32::from(from.to_bits()) << 16);
        }
    }
}
