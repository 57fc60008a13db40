//! `PyTorch`'s `interpolate`: which source pixels make a new one.

use rayon::prelude::*;

use super::Shape;
use super::separable::{Taps, fused};

/// Pixel centres lie at whole numbers plus one half, so the centre of new pixel `index` is here in the source's indices.
/// In `f32`, as `PyTorch` computes it: at large sizes the rounding decides between neighbours.
fn source_position(index: usize, from: usize, to: usize) -> f32 {
    let scale = from as f32 / to as f32;
    fused(index as f32 + 0.5, scale, -0.5)
}

/// The nearest source index for each new index.
fn nearest_indices(from: usize, to: usize) -> Vec<usize> {
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|index| (((index as f32 + 0.5) * scale) as usize).min(from - 1))
        .collect()
}

pub(super) fn nearest_exact(pixels: &[f32], from: Shape, to: Shape, result: &mut [f32]) {
    let rows = nearest_indices(from.height, to.height);
    let columns = nearest_indices(from.width, to.width);
    let channels = from.channels;
    result
        .par_chunks_mut(to.width * channels)
        .zip(rows)
        .for_each(|(row, source)| {
            let source = &pixels[source * from.width * channels..][..from.width * channels];
            for (pixel, &column) in row.chunks_exact_mut(channels).zip(&columns) {
                pixel.copy_from_slice(&source[column * channels..][..channels]);
            }
        });
}

/// First and past-the-last source index of the area of each new index.
fn areas(from: usize, to: usize) -> Vec<(usize, usize)> {
    (0..to)
        .map(|index| (index * from / to, ((index + 1) * from).div_ceil(to)))
        .collect()
}

/// Adaptive average pooling.
pub(super) fn area(pixels: &[f32], from: Shape, to: Shape, result: &mut [f32]) {
    let rows = areas(from.height, to.height);
    let columns = areas(from.width, to.width);
    let channels = from.channels;
    result
        .par_chunks_mut(to.width * channels)
        .zip(rows)
        .for_each(|(row, (top, bottom))| {
            for (pixel, &(left, right)) in row.chunks_exact_mut(channels).zip(&columns) {
                for y in top..bottom {
                    let source =
                        &pixels[(y * from.width + left) * channels..][..(right - left) * channels];
                    for source in source.chunks_exact(channels) {
                        for (sum, value) in pixel.iter_mut().zip(source) {
                            *sum += value;
                        }
                    }
                }
                let (height, width) = ((bottom - top) as f32, (right - left) as f32);
                for sum in pixel {
                    *sum = *sum / height / width;
                }
            }
        });
}

/// Two neighbours; before the first centre and beyond the last one the border pixel goes on.
pub(super) fn bilinear_taps(from: usize, to: usize) -> Vec<Taps<2>> {
    (0..to)
        .map(|index| {
            let position = source_position(index, from, to).max(0.0);
            let first = (position as usize).min(from - 1);
            let second = (first + 1).min(from - 1);
            let weight = (position - first as f32).clamp(0.0, 1.0);
            Taps {
                indices: [first, second],
                weights: [1.0 - weight, weight],
            }
        })
        .collect()
}

/// Four neighbours; indices beyond the border stop at it.
pub(super) fn bicubic_taps(from: usize, to: usize) -> Vec<Taps<4>> {
    const A: f32 = -0.75;
    let near = |x: f32| ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0;
    let far = |x: f32| ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A;
    (0..to)
        .map(|index| {
            let position = source_position(index, from, to);
            let floor = position.floor();
            let t = position - floor;
            let at = |offset: isize| (floor as isize + offset).clamp(0, from as isize - 1) as usize;
            Taps {
                indices: [at(-1), at(0), at(1), at(2)],
                weights: [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)],
            }
        })
        .collect()
}
