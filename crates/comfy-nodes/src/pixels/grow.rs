//! Growing and shrinking masks by pixels.

use comfy_graph::NodeError;
use rayon::prelude::*;

use super::buffer::zeroed;
use super::extremum::{Extremum, slide};

/// The extremum over all pixels within `distance` steps of each pixel; steps go along rows and columns, and with `corners`
/// diagonally too, so that a point becomes a square instead of a diamond.
pub fn grow(
    source: &[f32],
    [batch, height, width]: [usize; 3],
    distance: usize,
    corners: bool,
    extremum: Extremum,
) -> Result<Vec<f32>, NodeError> {
    if distance == 0 || source.is_empty() {
        return Ok(source.to_vec());
    }
    // Everything is within reach of everything after that many steps.
    let distance = distance.min(height + width);
    if corners {
        return slide(
            source,
            [batch, height, width, 1],
            distance,
            distance,
            extremum,
        );
    }
    let mut result = zeroed(&[batch, height, width])?;
    result
        .par_chunks_mut(height * width)
        .zip(source.par_chunks(height * width))
        .for_each(|(result, source)| diamond(source, result, width, distance, extremum));
    Ok(result)
}

/// One step after another, until nothing changes.
fn diamond(source: &[f32], result: &mut [f32], width: usize, distance: usize, extremum: Extremum) {
    let mut old = source.to_vec();
    for step in 0..distance {
        result.copy_from_slice(&old);
        result
            .par_chunks_mut(width)
            .enumerate()
            .for_each(|(y, row)| {
                let here = &old[y * width..][..width];
                extremum.accumulate(&mut row[1..], here);
                extremum.accumulate(row, &here[1..]);
                if y > 0 {
                    extremum.accumulate(row, &old[(y - 1) * width..][..width]);
                }
                if let Some(below) = old.get((y + 1) * width..(y + 2) * width) {
                    extremum.accumulate(row, below);
                }
            });
        if step + 1 < distance {
            if result == &old[..] {
                return;
            }
            old.copy_from_slice(result);
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_a_diamond_or_a_square() {
        let mut point = vec![0.0; 7 * 5];
        point[3 * 5 + 1] = 0.5;
        for distance in [0, 1, 2, 3, 16384] {
            for corners in [false, true] {
                let grown = grow(&point, [1, 7, 5], distance, corners, Extremum::Largest).unwrap();
                let expected = |index: usize| {
                    let (down, right) = ((index / 5).abs_diff(3), (index % 5).abs_diff(1));
                    let steps = if corners {
                        down.max(right)
                    } else {
                        down + right
                    };
                    if steps <= distance { 0.5 } else { 0.0 }
                };
                let expected: Vec<f32> = (0..7 * 5).map(expected).collect();
                assert_eq!(grown, expected, "{distance} {corners}");
            }
        }
    }
}
