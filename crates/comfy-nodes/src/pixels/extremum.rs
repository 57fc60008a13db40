//! The largest or smallest value in a window that slides over a picture.

use comfy_graph::NodeError;
use rayon::prelude::*;

use super::buffer::zeroed;

/// Which value of a window is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extremum {
    /// The largest.
    Largest,
    /// The smallest.
    Smallest,
}

impl Extremum {
    fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Largest => a.max(b),
            Self::Smallest => a.min(b),
        }
    }

    fn identity(self) -> f32 {
        match self {
            Self::Largest => f32::NEG_INFINITY,
            Self::Smallest => f32::INFINITY,
        }
    }

    pub(super) fn accumulate(self, best: &mut [f32], values: &[f32]) {
        for (best, &value) in best.iter_mut().zip(values) {
            *best = self.of(*best, value);
        }
    }
}

/// The extremum over a rectangle that reaches `before` pixels up and left and `after` pixels down and right of each pixel.
/// Pixels outside of the picture do not count. Each axis is done by itself, and the cost hardly depends on the size of the
/// window: it is put together from spans of lengths that double.
pub fn slide(
    source: &[f32],
    [batch, height, width, channels]: [usize; 4],
    before: usize,
    after: usize,
    extremum: Extremum,
) -> Result<Vec<f32>, NodeError> {
    let row = width * channels;
    let picture = height * row;
    let mut result = zeroed(&[batch, height, width, channels])?;
    if result.is_empty() {
        return Ok(result);
    }
    let mut rows = zeroed(&[picture])?;
    for (source, result) in source
        .chunks_exact(picture)
        .zip(result.chunks_exact_mut(picture))
    {
        along_rows(source, &mut rows, width, channels, before, after, extremum);
        along_columns(&rows, result, height, before, after, extremum);
    }
    Ok(result)
}

fn along_rows(
    source: &[f32],
    result: &mut [f32],
    width: usize,
    channels: usize,
    before: usize,
    after: usize,
    extremum: Extremum,
) {
    let (before, after) = (before.min(width), after.min(width));
    let window = before + after + 1;
    let row = width * channels;
    let padded = (width + before + after) * channels;
    result
        .par_chunks_mut(row)
        .zip(source.par_chunks(row))
        .for_each_init(
            || vec![0.0_f32; padded],
            |spans, (result, source)| {
                spans.fill(extremum.identity());
                spans[before * channels..][..row].copy_from_slice(source);
                // After each round a span holds the extremum of the next `length` pixels.
                let mut length = 1;
                while length * 2 <= window {
                    let shift = length * channels;
                    for index in 0..padded - shift {
                        spans[index] = extremum.of(spans[index], spans[index + shift]);
                    }
                    length *= 2;
                }
                result.copy_from_slice(&spans[..row]);
                extremum.accumulate(result, &spans[(window - length) * channels..][..row]);
            },
        );
}

/// Rows of one task: their common part is computed once.
const STRIP: usize = 32;

fn along_columns(
    source: &[f32],
    result: &mut [f32],
    height: usize,
    before: usize,
    after: usize,
    extremum: Extremum,
) {
    let row = source.len() / height;
    let window = before + after + 1;
    let at = |y: usize| &source[y * row..][..row];
    result
        .par_chunks_mut(row * STRIP)
        .enumerate()
        .for_each(|(strip, result)| {
            let first = strip * STRIP;
            let rows = result.len() / row;
            let last = first + rows - 1;
            // Rows that lie in the windows of all rows of the strip.
            let common = last.saturating_sub(before)..(first + after + 1).min(height);
            let mut shared = vec![extremum.identity(); row];
            if window > STRIP {
                for y in common.clone() {
                    extremum.accumulate(&mut shared, at(y));
                }
            }
            for (offset, result) in result.chunks_exact_mut(row).enumerate() {
                let y = first + offset;
                result.copy_from_slice(&shared);
                for y in y.saturating_sub(before)..(y + after + 1).min(height) {
                    if window <= STRIP || !common.contains(&y) {
                        extremum.accumulate(result, at(y));
                    }
                }
            }
        });
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    /// Looks at every pixel of every window.
    fn plain(source: &[f32], height: usize, width: usize, before: usize, after: usize) -> Vec<f32> {
        let mut result = Vec::new();
        for y in 0..height {
            for x in 0..width {
                let rows = y.saturating_sub(before)..(y + after + 1).min(height);
                let columns = x.saturating_sub(before)..(x + after + 1).min(width);
                let values = rows.flat_map(|y| columns.clone().map(move |x| source[y * width + x]));
                result.push(values.fold(f32::NEG_INFINITY, f32::max));
            }
        }
        result
    }

    #[test]
    fn windows_of_all_sizes() {
        let (height, width) = (77, 41);
        let source: Vec<f32> = (0..height * width)
            .map(|index| ((index * 7919) % 1009) as f32)
            .collect();
        let negated: Vec<f32> = source.iter().map(|value| -value).collect();
        for (before, after) in [
            (0, 0),
            (1, 1),
            (1, 2),
            (2, 1),
            (0, 3),
            (5, 6),
            (20, 20),
            (50, 49),
            (499, 499),
        ] {
            let expected = plain(&source, height, width, before, after);
            let shape = [1, height, width, 1];
            let largest = slide(&source, shape, before, after, Extremum::Largest).unwrap();
            assert_eq!(largest, expected, "{before} {after}");
            let smallest = slide(&negated, shape, before, after, Extremum::Smallest).unwrap();
            let smallest: Vec<f32> = smallest.iter().map(|value| -value).collect();
            assert_eq!(smallest, expected, "{before} {after}");
        }
    }
}
