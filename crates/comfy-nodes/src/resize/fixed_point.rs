//! Resampling of bytes in fixed point, with PIL's precision: weights of 22 fractional bits, one rounding after each pass.
//! When shrinking, the kernel is stretched so that every source pixel counts. Four channels are taken as colour
//! with alpha, and the colour is weighted by the alpha while it is resampled.

use rayon::prelude::*;

use super::{ResizeError, Shape, zeros};

/// Fractional bits of a weight: 32 less the 8 of a pixel and 2 for sums that overshoot.
const PRECISION: u32 = 22;
const HALF: i32 = 1 << (PRECISION - 1);

/// The shape of the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Linear to both sides.
    Triangle,
    /// Sinc, windowed by its own first lobe, three lobes to each side.
    Lanczos,
}

impl Kernel {
    fn support(self) -> f64 {
        match self {
            Self::Triangle => 1.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        match self {
            Self::Triangle => (1.0 - x.abs()).max(0.0),
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI)
    }
}

/// Weights of one new index over the source indices from `first` on.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

fn windows(from: usize, to: usize, kernel: Kernel) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = kernel.support() * stretch;
    (0..to)
        .map(|index| {
            let centre = (index as f64 + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (first..end)
                .map(|source| kernel.weight((source as f64 - centre + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: f64| (weight / sum * f64::from(1 << PRECISION)).round() as i32;
            Window {
                first,
                weights: weights.into_iter().map(fixed).collect(),
            }
        })
        .collect()
}

/// The byte of a sum of pixels times weights, which began at one half.
fn byte_of(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn resize_width(
    bytes: &[u8],
    from: Shape,
    width: usize,
    kernel: Kernel,
) -> Result<Vec<u8>, ResizeError> {
    let to = Shape { width, ..from };
    let mut result = zeros::<u8>(to)?;
    let windows = windows(from.width, width, kernel);
    let channels = from.channels;
    let rows = bytes.par_chunks(from.width * channels);
    result
        .par_chunks_mut(width * channels)
        .zip(rows)
        .for_each(|(row, source)| {
            for (pixel, window) in row.chunks_exact_mut(channels).zip(&windows) {
                for (channel, byte) in pixel.iter_mut().enumerate() {
                    let values = source[window.first * channels + channel..]
                        .iter()
                        .step_by(channels);
                    let sum = values
                        .zip(&window.weights)
                        .fold(HALF, |sum, (&value, weight)| {
                            sum + i32::from(value) * weight
                        });
                    *byte = byte_of(sum);
                }
            }
        });
    Ok(result)
}

fn resize_height(
    bytes: &[u8],
    from: Shape,
    height: usize,
    kernel: Kernel,
) -> Result<Vec<u8>, ResizeError> {
    let to = Shape { height, ..from };
    let mut result = zeros::<u8>(to)?;
    let row_length = from.width * from.channels;
    result
        .par_chunks_mut(row_length)
        .zip(windows(from.height, height, kernel))
        .for_each(|(row, window)| {
            let mut sums = vec![HALF; row_length];
            for (source, weight) in bytes[window.first * row_length..]
                .chunks_exact(row_length)
                .zip(&window.weights)
            {
                for (sum, &value) in sums.iter_mut().zip(source) {
                    *sum += i32::from(value) * weight;
                }
            }
            for (byte, sum) in row.iter_mut().zip(sums) {
                *byte = byte_of(sum);
            }
        });
    Ok(result)
}

/// A product of two bytes over 255, rounded.
fn over_255(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

/// Whether the height comes first. PIL does so since version 13, where that leaves clearly less to do; as each pass cuts off what
/// overshoots, the order can be seen.
fn height_first(from: Shape, to: Shape) -> bool {
    let fewer_rows = from.height as i64 - to.height as i64;
    let fewer_columns = from.width as i64 - to.width as i64;
    fewer_rows > 0 && 2 * fewer_columns < fewer_rows
}

/// Resizes a picture of bytes.
pub(super) fn resize(
    bytes: &[u8],
    from: Shape,
    to: Shape,
    kernel: Kernel,
) -> Result<Vec<u8>, ResizeError> {
    if from == to {
        return Ok(bytes.to_vec());
    }
    let has_alpha = from.channels == 4;
    let mut picture = bytes.to_vec();
    if has_alpha {
        for pixel in picture.chunks_exact_mut(4) {
            let alpha = pixel[3];
            for colour in &mut pixel[..3] {
                *colour = over_255(*colour, alpha);
            }
        }
    }
    let mut shape = from;
    if height_first(from, to) {
        picture = resize_height(&picture, shape, to.height, kernel)?;
        shape.height = to.height;
    }
    if shape.width != to.width {
        picture = resize_width(&picture, shape, to.width, kernel)?;
        shape.width = to.width;
    }
    if shape.height != to.height {
        picture = resize_height(&picture, shape, to.height, kernel)?;
    }
    if has_alpha {
        for pixel in picture.chunks_exact_mut(4) {
            let alpha = u32::from(pixel[3]);
            if alpha != 0 && alpha != 255 {
                for colour in &mut pixel[..3] {
                    *colour = (u32::from(*colour) * 255 / alpha).min(255) as u8;
                }
            }
        }
    }
    Ok(picture)
}
