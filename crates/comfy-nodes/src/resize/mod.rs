//! Resizing pictures on the host, with the arithmetic of the programs that `ComfyUI` calls: `PyTorch`'s `interpolate` (without
//! anti-aliasing, corners not aligned) and, for Lanczos, PIL's fixed-point resampling.
//!
//! A picture is a slice of `f32` in the order `[height, width, channel]`.

mod bislerp;
mod bytes;
mod fixed_point;
mod interpolate;
mod separable;

use fixed_point::Kernel;
use rayon::prelude::*;

pub(crate) use separable::fused;

pub use bislerp::bislerp;
pub use bytes::{bytes_from_units, units_from_bytes};

/// How to fill pixels that lie between others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The nearest pixel, measured between centres.
    NearestExact,
    /// Linear between the two neighbours on each axis.
    Bilinear,
    /// The average over the area that a new pixel covers.
    Area,
    /// Cubic convolution over four neighbours on each axis, `a = -0.75` (Keys 1981). May leave the range 0..1.
    Bicubic,
    /// A windowed sinc of three lobes, widened when shrinking; works on 8 bits, as PIL does.
    Lanczos,
}

/// Height, width and channels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Shape {
    /// Number of values. Shapes that come from a picture in memory cannot overflow; others are checked by [`Shape::checked_len`].
    pub fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there is no value at all.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Number of values, or `None` when it does not fit.
    pub fn checked_len(self) -> Option<usize> {
        self.height
            .checked_mul(self.width)?
            .checked_mul(self.channels)
    }
}

/// Why a picture cannot be resized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResizeError {
    /// The slice does not hold a picture of this shape, or the shape is empty.
    #[error("expected a picture of at least one pixel with {expected} values, got {got}")]
    Shape {
        /// Number of values of the shape.
        expected: usize,
        /// Length of the slice.
        got: usize,
    },
    /// The result is too large for this machine's memory.
    #[error("not enough memory for a picture of {width}x{height} pixels with {channels} channels")]
    OutOfMemory {
        /// Width asked for.
        width: usize,
        /// Height asked for.
        height: usize,
        /// Channels.
        channels: usize,
    },
}

/// Resizes a picture to `height` times `width` (both at least 1).
pub fn resize(
    pixels: &[f32],
    from: Shape,
    height: usize,
    width: usize,
    method: Method,
) -> Result<Vec<f32>, ResizeError> {
    let mut result = zeros(Shape {
        height,
        width,
        channels: from.channels,
    })?;
    resize_into(pixels, from, height, width, method, &mut result)?;
    Ok(result)
}

/// As [`resize`], into memory that has the right length and holds zeros.
pub fn resize_into(
    pixels: &[f32],
    from: Shape,
    height: usize,
    width: usize,
    method: Method,
    result: &mut [f32],
) -> Result<(), ResizeError> {
    if from.checked_len() != Some(pixels.len()) || from.is_empty() || height == 0 || width == 0 {
        return Err(ResizeError::Shape {
            expected: from.checked_len().unwrap_or(usize::MAX),
            got: pixels.len(),
        });
    }
    let to = Shape {
        height,
        width,
        channels: from.channels,
    };
    if to.checked_len() != Some(result.len()) {
        return Err(ResizeError::Shape {
            expected: to.checked_len().unwrap_or(usize::MAX),
            got: result.len(),
        });
    }
    match method {
        Method::NearestExact => interpolate::nearest_exact(pixels, from, to, result),
        Method::Area => interpolate::area(pixels, from, to, result),
        Method::Bilinear => {
            separable::by_products(pixels, from, to, interpolate::bilinear_taps, result);
        }
        Method::Bicubic => {
            separable::rows_of_columns(pixels, from, to, interpolate::bicubic_taps, result)?;
        }
        Method::Lanczos => {
            let resized =
                fixed_point::resize(&bytes_from_units(pixels), from, to, Kernel::Lanczos)?;
            result
                .par_iter_mut()
                .zip(resized)
                .for_each(|(unit, byte)| *unit = f32::from(byte) / 255.0);
        }
    }
    Ok(())
}

/// Resizes a picture of bytes so that it fits a square of `side` pixels and touches it, larger or smaller, linearly between
/// neighbours (averaging when shrinking). Gives the height, the width and the bytes.
pub fn fit_bytes(
    bytes: &[u8],
    from: Shape,
    side: usize,
) -> Result<(usize, usize, Vec<u8>), ResizeError> {
    if from.checked_len() != Some(bytes.len()) || from.is_empty() || side == 0 {
        return Err(ResizeError::Shape {
            expected: from.checked_len().unwrap_or(usize::MAX),
            got: bytes.len(),
        });
    }
    let scaled = |short: usize, long: usize| {
        ((short as f64 / long as f64 * side as f64).round_ties_even() as usize).max(1)
    };
    let (height, width) = if from.width >= from.height {
        (scaled(from.height, from.width), side)
    } else {
        (side, scaled(from.width, from.height))
    };
    let to = Shape {
        height,
        width,
        channels: from.channels,
    };
    Ok((
        height,
        width,
        fixed_point::resize(bytes, from, to, Kernel::Triangle)?,
    ))
}

/// The part of a picture that is left when its sides are cut to the aspect ratio of `height` and `width`: first row, first
/// column, and the shape. Half pixels round to even, as Python rounds. Of a long thin
/// picture nothing may be left.
pub fn centre_crop(from: Shape, height: usize, width: usize) -> (usize, usize, Shape) {
    let (old_width, old_height) = (from.width as f64, from.height as f64);
    let (old_aspect, new_aspect) = (old_width / old_height, width as f64 / height as f64);
    let mut left = 0;
    let mut top = 0;
    if old_aspect > new_aspect {
        left =
            ((old_width - old_width * (new_aspect / old_aspect)) / 2.0).round_ties_even() as usize;
    } else if old_aspect < new_aspect {
        top = ((old_height - old_height * (old_aspect / new_aspect)) / 2.0).round_ties_even()
            as usize;
    }
    (
        top,
        left,
        Shape {
            height: from.height.saturating_sub(2 * top),
            width: from.width.saturating_sub(2 * left),
            channels: from.channels,
        },
    )
}

/// Copies a part of a picture, as found by [`centre_crop`].
pub fn crop(pixels: &[f32], from: Shape, top: usize, left: usize, part: Shape) -> Vec<f32> {
    let row = from.width * from.channels;
    let rows = pixels.chunks_exact(row).skip(top).take(part.height);
    rows.flat_map(|row| &row[left * from.channels..][..part.width * from.channels])
        .copied()
        .collect()
}

fn zeros<T: Clone + Default>(to: Shape) -> Result<Vec<T>, ResizeError> {
    let failed = || ResizeError::OutOfMemory {
        width: to.width,
        height: to.height,
        channels: to.channels,
    };
    let length = to.checked_len().ok_or_else(failed)?;
    let mut values = Vec::new();
    values.try_reserve_exact(length).map_err(|_| failed())?;
    values.resize(length, T::default());
    Ok(values)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
