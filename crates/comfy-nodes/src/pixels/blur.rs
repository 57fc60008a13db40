//! Gaussian blur and sharpening, the borders mirrored without repeating the outermost pixel.

use comfy_graph::NodeError;
use rayon::prelude::*;

use super::buffer::zeroed;
use super::gaussian::{gaussian_square, sharpening_square};

/// The Gaussian as `ComfyUI` spans it: `2·radius + 1` samples from -1 to 1 whatever the radius, so `sigma` is relative to the
/// radius. The kernel of the plane is a product, so one axis at a time gives the same picture.
fn gaussian(radius: usize, sigma: f64) -> Vec<f32> {
    let weights: Vec<f64> = (0..=2 * radius)
        .map(|index| {
            let x = index as f64 / radius as f64 - 1.0;
            (-(x * x) / (2.0 * sigma * sigma)).exp()
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights
        .into_iter()
        .map(|weight| (weight / sum) as f32)
        .collect()
}

/// The index inside `0..size` of one that lies up to `size - 1` outside, mirrored at the outermost pixel.
pub(super) fn mirrored(index: isize, size: usize) -> usize {
    let last = size as isize - 1;
    let index = index.abs();
    (if index > last {
        2 * last - index
    } else {
        index
    }) as usize
}

fn check(radius: usize, height: usize, width: usize) -> Result<(), NodeError> {
    if radius >= height || radius >= width {
        return Err(NodeError::runtime(format_args!(
            "expected pictures with sides of more than {radius} pixels for a radius of {radius}, got {width}x{height}"
        )));
    }
    Ok(())
}

/// Writes a filter of each picture: `finish` makes the final value of the original and the blurred one.
fn filter(
    source: &[f32],
    [batch, height, width, channels]: [usize; 4],
    kernel: &[f32],
    finish: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<Vec<f32>, NodeError> {
    let radius = kernel.len() / 2;
    let row = width * channels;
    let mut result = zeroed(&[batch, height, width, channels])?;
    if result.is_empty() {
        return Ok(result);
    }
    // Each row of the result: the column sums of its source rows, with mirrored ends, then the sums along the row.
    result.par_chunks_mut(row).enumerate().for_each_init(
        || vec![0.0_f32; row + 2 * radius * channels],
        |sums, (index, out)| {
            let (picture, y) = (index / height, index % height);
            let source = &source[picture * height * row..][..height * row];
            let (head, rest) = sums.split_at_mut(radius * channels);
            let (middle, tail) = rest.split_at_mut(row);
            middle.fill(0.0);
            for (offset, &weight) in kernel.iter().enumerate() {
                let y = mirrored(y as isize + offset as isize - radius as isize, height);
                for (sum, value) in middle.iter_mut().zip(&source[y * row..][..row]) {
                    *sum += weight * value;
                }
            }
            for (distance, pixel) in head.chunks_exact_mut(channels).rev().enumerate() {
                pixel.copy_from_slice(&middle[(distance + 1) * channels..][..channels]);
            }
            for (distance, pixel) in tail.chunks_exact_mut(channels).enumerate() {
                pixel.copy_from_slice(&middle[(width - 2 - distance) * channels..][..channels]);
            }
            out.fill(0.0);
            for (offset, &weight) in kernel.iter().enumerate() {
                for (sum, value) in out.iter_mut().zip(&sums[offset * channels..][..row]) {
                    *sum += weight * value;
                }
            }
            for (value, original) in out.iter_mut().zip(&source[y * row..][..row]) {
                *value = finish(*original, *value);
            }
        },
    );
    Ok(result)
}

/// Radii up to which the square of weights is laid over the pictures as it is, which gives `PyTorch`'s bits. Beyond, an axis at a
/// time is much faster and differs by some 1e-7.
const SQUARE: usize = 2;

/// Lays a square of weights over each picture: row by row, every product and sum rounded once.
fn weigh(
    source: &[f32],
    [batch, height, width, channels]: [usize; 4],
    weights: &[f32],
    finish: impl Fn(f32) -> f32 + Sync,
) -> Result<Vec<f32>, NodeError> {
    let side = weights.len().isqrt();
    let radius = side / 2;
    let (row, margin) = (width * channels, radius * channels);
    let wide = row + 2 * margin;
    let mut result = zeroed(&[batch, height, width, channels])?;
    if result.is_empty() {
        return Ok(result);
    }
    result.par_chunks_mut(row).enumerate().for_each_init(
        || vec![0.0_f32; wide],
        |mirror, (index, out)| {
            let (picture, y) = (index / height, index % height);
            let source = &source[picture * height * row..][..height * row];
            for (offset, weights) in weights.chunks_exact(side).enumerate() {
                let y = mirrored(y as isize + offset as isize - radius as isize, height);
                let line = &source[y * row..][..row];
                mirror[margin..][..row].copy_from_slice(line);
                for (column, pixel) in mirror.chunks_exact_mut(channels).enumerate() {
                    if column < radius || column >= radius + width {
                        let x = mirrored(column as isize - radius as isize, width);
                        pixel.copy_from_slice(&line[x * channels..][..channels]);
                    }
                }
                for (column, &weight) in weights.iter().enumerate() {
                    let weight = f64::from(weight);
                    for (sum, &value) in out.iter_mut().zip(&mirror[column * channels..][..row]) {
                        // The product is exact in f64, so this rounds once, as a fused operation does.
                        *sum = (f64::from(value) * weight + f64::from(*sum)) as f32;
                    }
                }
            }
            for value in out {
                *value = finish(*value);
            }
        },
    );
    Ok(result)
}

/// Blurs each picture of a batch. The radius must be smaller than both sides, as `PyTorch`'s mirrored border asks.
pub fn blur(
    source: &[f32],
    shape: [usize; 4],
    radius: usize,
    sigma: f64,
) -> Result<Vec<f32>, NodeError> {
    check(radius, shape[1], shape[2])?;
    if radius <= SQUARE {
        return weigh(source, shape, &gaussian_square(radius, sigma), |value| {
            value
        });
    }
    filter(source, shape, &gaussian(radius, sigma), |_, blurred| {
        blurred
    })
}

/// Sharpens each picture of a batch: adds `10·alpha` times what the blur takes away. The result is in 0..1.
pub fn sharpen(
    source: &[f32],
    shape: [usize; 4],
    radius: usize,
    sigma: f64,
    alpha: f64,
) -> Result<Vec<f32>, NodeError> {
    check(radius, shape[1], shape[2])?;
    if radius <= SQUARE {
        let weights = sharpening_square(radius, sigma, alpha);
        return weigh(source, shape, &weights, |value| value.clamp(0.0, 1.0));
    }
    let strength = (10.0 * alpha) as f32;
    filter(
        source,
        shape,
        &gaussian(radius, sigma),
        move |original, blurred| (original + strength * (original - blurred)).clamp(0.0, 1.0),
    )
}
