//! What matrices may hold.

use half::{bf16, f16};

use crate::tile::block::Wide;
use crate::tile::half_precision;

/// A number that is widened to `f32` without loss.
pub trait Element: Wide + Send + Sync {
    /// Widens one value.
    fn wide(self) -> f32;

    /// Widens as many values as both slices have.
    fn widen(from: &[Self], to: &mut [f32]);
}

impl Element for f32 {
    fn wide(self) -> f32 {
        self
    }

    fn widen(from: &[Self], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
}

impl Element for f16 {
    fn wide(self) -> f32 {
        self.to_f32()
    }

    fn widen(from: &[Self], to: &mut [f32]) {
        half_precision::widen(from, to);
    }
}

impl Element for bf16 {
    fn wide(self) -> f32 {
        self.to_f32()
    }

    fn widen(from: &[Self], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = f32::from_bits(u32::from(from.to_bits()) << 16);
        }
    }
}
