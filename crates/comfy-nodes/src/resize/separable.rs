//! Filters of a few taps on each axis.
//!
//! Sums are added in the order of `PyTorch`'s kernels for pictures whose channels lie together, with multiplications fused as its
//! compiler fuses them: writing a picture cuts values off to bytes, so a difference in the last bit can be seen.

use rayon::prelude::*;

use super::{ResizeError, Shape, zeros};

/// Source indices and weights of one new index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taps<const N: usize> {
    pub(super) indices: [usize; N],
    pub(super) weights: [f32; N],
}

/// Resizes with two taps on each axis: one sum over the four source pixels, each with the product of its weights.
pub(super) fn by_products(
    pixels: &[f32],
    from: Shape,
    to: Shape,
    taps: impl Fn(usize, usize) -> Vec<Taps<2>>,
    result: &mut [f32],
) {
    let rows = taps(from.height, to.height);
    let columns = taps(from.width, to.width);
    match from.channels {
        1 => products::<1>(pixels, from.width, &rows, &columns, result),
        2 => products::<2>(pixels, from.width, &rows, &columns, result),
        3 => products::<3>(pixels, from.width, &rows, &columns, result),
        4 => products::<4>(pixels, from.width, &rows, &columns, result),
        channels => {
            for channel in 0..channels {
                let plane: Vec<f32> = pixels[channel..]
                    .iter()
                    .step_by(channels)
                    .copied()
                    .collect();
                let mut resized = vec![0.0; to.height * to.width];
                products::<1>(&plane, from.width, &rows, &columns, &mut resized);
                for (value, resized) in result[channel..].iter_mut().step_by(channels).zip(resized)
                {
                    *value = resized;
                }
            }
        }
    }
}

fn products<const C: usize>(
    pixels: &[f32],
    width: usize,
    rows: &[Taps<2>],
    columns: &[Taps<2>],
    result: &mut [f32],
) {
    result
        .par_chunks_mut(columns.len() * C)
        .zip(rows)
        .for_each(|(out, row)| {
            let [upper, lower] = row.indices.map(|y| &pixels[y * width * C..][..width * C]);
            for (pixel, column) in out.chunks_exact_mut(C).zip(columns) {
                let [left, right] = column.indices;
                let weights = row
                    .weights
                    .map(|row| column.weights.map(|column| row * column));
                let at = |line: &[f32], x: usize| -> [f32; C] {
                    let mut values = [0.0; C];
                    values.copy_from_slice(&line[x * C..][..C]);
                    values
                };
                let values = [
                    at(upper, left),
                    at(upper, right),
                    at(lower, left),
                    at(lower, right),
                ];
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = sum(
                        values.map(|value| value[channel]),
                        [weights[0][0], weights[0][1], weights[1][0], weights[1][1]],
                    );
                }
            }
        });
}

/// Resizes with four taps on each axis: a sum over rows of sums over columns.
pub(super) fn rows_of_columns(
    pixels: &[f32],
    from: Shape,
    to: Shape,
    taps: impl Fn(usize, usize) -> Vec<Taps<4>>,
    result: &mut [f32],
) -> Result<(), ResizeError> {
    let rows = taps(from.height, to.height);
    let columns = taps(from.width, to.width);
    let channels = from.channels;
    let mut used = vec![false; from.height];
    for y in rows.iter().flat_map(|row| row.indices) {
        used[y] = true;
    }
    // Each source row resized by itself: most are used by several new rows.
    let mut narrow: Vec<f32> = zeros(Shape {
        height: from.height,
        ..to
    })?;
    narrow
        .par_chunks_mut(to.width * channels)
        .zip(pixels.par_chunks(from.width * channels))
        .zip(used)
        .filter(|(_, used)| *used)
        .for_each(|((out, line), _)| match channels {
            1 => along::<1>(line, &columns, out),
            3 => along::<3>(line, &columns, out),
            4 => along::<4>(line, &columns, out),
            _ => {
                for (pixel, column) in out.chunks_exact_mut(channels).zip(&columns) {
                    for (channel, value) in pixel.iter_mut().enumerate() {
                        *value = sum(
                            column.indices.map(|x| line[x * channels + channel]),
                            column.weights,
                        );
                    }
                }
            }
        });
    let length = to.width * channels;
    result
        .par_chunks_mut(length)
        .zip(rows)
        .for_each(|(out, row)| {
            let [a, b, c, d] = row.indices.map(|y| &narrow[y * length..][..length]);
            let sources = a.iter().zip(b).zip(c.iter().zip(d));
            for (value, ((a, b), (c, d))) in out.iter_mut().zip(sources) {
                *value = sum([*a, *b, *c, *d], row.weights);
            }
        });
    Ok(())
}

fn along<const C: usize>(line: &[f32], columns: &[Taps<4>], out: &mut [f32]) {
    for (pixel, column) in out.chunks_exact_mut(C).zip(columns) {
        let values: [[f32; C]; 4] = column.indices.map(|x| {
            let mut values = [0.0; C];
            values.copy_from_slice(&line[x * C..][..C]);
            values
        });
        for (channel, value) in pixel.iter_mut().enumerate() {
            *value = sum(values.map(|value| value[channel]), column.weights);
        }
    }
}

/// The sum of values times weights. The second product is rounded, the first is added to it unrounded, then come the others.
fn sum(values: [f32; 4], weights: [f32; 4]) -> f32 {
    let start = fused(values[0], weights[0], values[1] * weights[1]);
    fused(values[3], weights[3], fused(values[2], weights[2], start))
}

/// `a * b + c`, rounded once; in `f64` the product is exact.
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}
