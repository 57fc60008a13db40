//! Interpolation along arcs: `ComfyUI`'s `bislerp`.

use rayon::prelude::*;

use super::{Method, ResizeError, Shape, resize, zeros};

/// Above this cosine two directions count as one, below its negative as opposites.
const PARALLEL: f32 = 0.99999;

/// Resizes planes in the order `[channel, height, width]`: first every row, then every column. Between two cells the vector of
/// their channels turns from one direction to the other at even speed (Shoemake 1985), and its length changes linearly.
pub fn bislerp(
    values: &[f32],
    from: Shape,
    height: usize,
    width: usize,
) -> Result<Vec<f32>, ResizeError> {
    if from.checked_len() != Some(values.len()) || from.is_empty() || height == 0 || width == 0 {
        return Err(ResizeError::Shape {
            expected: from.checked_len().unwrap_or(usize::MAX),
            got: values.len(),
        });
    }
    let wide = Shape { width, ..from };
    let columns = neighbours(from.width, width)?;
    let rows = along(values, from, wide, |y, x| {
        let (first, second, ratio) = columns[x];
        ((y, first), (y, second), ratio)
    })?;
    let tall = Shape { height, ..wide };
    let lines = neighbours(from.height, height)?;
    along(&rows, wide, tall, |y, x| {
        let (first, second, ratio) = lines[y];
        ((first, x), (second, x), ratio)
    })
}

type Cell = (usize, usize);

/// Computes every new cell from the two cells and the ratio that `sources` names.
fn along(
    values: &[f32],
    from: Shape,
    to: Shape,
    sources: impl Fn(usize, usize) -> (Cell, Cell, f32) + Sync,
) -> Result<Vec<f32>, ResizeError> {
    let channels = from.channels;
    // Cell by cell, so that rows can be computed side by side.
    let mut cells = zeros::<f32>(to)?;
    cells
        .par_chunks_mut(to.width * channels)
        .enumerate()
        .for_each(|(y, row)| {
            let mut first = vec![0.0; channels];
            let mut second = vec![0.0; channels];
            for (x, cell) in row.chunks_exact_mut(channels).enumerate() {
                let (left, right, ratio) = sources(y, x);
                let plane = from.height * from.width;
                for channel in 0..channels {
                    let at = |(y, x): Cell| values[channel * plane + y * from.width + x];
                    first[channel] = at(left);
                    second[channel] = at(right);
                }
                slerp(&first, &second, ratio, cell);
            }
        });
    let mut planes = zeros::<f32>(to)?;
    let size = to.height * to.width;
    for (index, cell) in cells.chunks_exact(channels).enumerate() {
        for (channel, value) in cell.iter().enumerate() {
            planes[channel * size + index] = *value;
        }
    }
    Ok(planes)
}

/// For each new index the source indices around it, and how far it lies from the first. Found by resizing the numbers of the
/// cells themselves, whose rounding decides which cell is the first.
fn neighbours(from: usize, to: usize) -> Result<Vec<(usize, usize, f32)>, ResizeError> {
    let resized = |numbers: Vec<f32>| {
        let line = Shape {
            height: 1,
            width: from,
            channels: 1,
        };
        resize(&numbers, line, 1, to, Method::Bilinear)
    };
    let mut following: Vec<f32> = (1..=from).map(|number| number as f32).collect();
    following[from - 1] -= 1.0;
    let first = resized((0..from).map(|number| number as f32).collect())?;
    let second = resized(following)?;
    let pairs = first.into_iter().zip(second);
    Ok(pairs
        .map(|(first, second)| (first as usize, second as usize, first - first.floor()))
        .collect())
}

fn slerp(first: &[f32], second: &[f32], ratio: f32, result: &mut [f32]) {
    let norm = |vector: &[f32]| vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    let (first_norm, second_norm) = (norm(first), norm(second));
    // A vector of length zero has no direction; it counts as orthogonal to everything.
    let direction = |value: f32, norm: f32| if norm == 0.0 { 0.0 } else { value / norm };
    let pairs = first.iter().zip(second);
    let cosine: f32 = pairs
        .clone()
        .map(|(a, b)| direction(*a, first_norm) * direction(*b, second_norm))
        .sum();
    if cosine > PARALLEL {
        result.copy_from_slice(first);
        return;
    }
    if cosine < -PARALLEL {
        for (value, (a, b)) in result.iter_mut().zip(pairs) {
            *value = a * (1.0 - ratio) + b * ratio;
        }
        return;
    }
    let angle = cosine.acos();
    let sine = angle.sin();
    let weights = (
        ((1.0 - ratio) * angle).sin() / sine,
        (ratio * angle).sin() / sine,
    );
    let length = first_norm * (1.0 - ratio) + second_norm * ratio;
    for (value, (a, b)) in result.iter_mut().zip(pairs) {
        *value = (weights.0 * direction(*a, first_norm) + weights.1 * direction(*b, second_norm))
            * length;
    }
}
