//! Edges after Canny (1986), as kornia finds them: a Gaussian of 5 pixels with sigma 1 and mirrored borders, Sobel's gradients
//! with repeated borders, thinning along the gradient, and weak edges kept where they touch strong ones.

use std::cmp::Ordering;

use comfy_graph::NodeError;
use rayon::prelude::*;

use super::blur::mirrored;
use super::buffer::zeroed;
use crate::resize::fused;

/// Steepness of edges: unscaled Sobel, so a step from black to white reaches about 2.6.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Above it an edge is weak: it counts if it touches a strong one, through other weak ones too.
    pub low: f32,
    /// Above it an edge is strong.
    pub high: f32,
}

/// What a picture without any gradient has, and what lies outside of it.
const FLAT: f32 = 1e-3;

/// The pixels to the right, and from there clockwise: rows, columns.
const AROUND: [(isize, isize); 8] = [
    (0, 1),
    (1, 1),
    (1, 0),
    (1, -1),
    (0, -1),
    (-1, -1),
    (-1, 0),
    (-1, 1),
];

/// The edges of one picture of a batch of that shape, with 1 or 3 channels: 1 where there is one, 0 elsewhere. Sides must be
/// longer than 2 pixels.
pub fn canny(
    picture: &[f32],
    [batch, height, width, channels]: [usize; 4],
    thresholds: Thresholds,
) -> Result<Vec<f32>, NodeError> {
    if height < 3 || width < 3 {
        return Err(NodeError::runtime(format_args!(
            "expected pictures with sides of at least 3 pixels, got {width}x{height}"
        )));
    }
    let grey = if channels == 3 {
        let mut grey = zeroed(&[height, width])?;
        grey.par_chunks_mut(width)
            .zip(picture.par_chunks(width * 3))
            .for_each(|(grey, row)| {
                for (grey, pixel) in grey.iter_mut().zip(row.chunks_exact(3)) {
                    // Fused, as PyTorch's compiler has it: neighbours of one steepness are told apart by the last bit.
                    *grey = fused(pixel[2], 0.114, fused(pixel[1], 0.587, 0.299 * pixel[0]));
                }
            });
        grey
    } else {
        picture.to_vec()
    };
    let smooth = smoothed(&grey, batch, height, width)?;
    let (steepness, directions) = gradients(&smooth, height, width)?;
    let mut edges = thinned(&steepness, &directions, height, width, thresholds);
    connect(&mut edges, height, width);
    let mut result = grey;
    result
        .par_iter_mut()
        .zip(edges)
        .for_each(|(value, edge)| *value = f32::from(u8::from(edge == Edge::Strong)));
    Ok(result)
}

/// Numbers of values from which `PyTorch` convolves with another library, which fuses multiplications and additions. Where edges
/// are equally steep on paper, the last bit decides which one is kept.
const FUSED_ABOVE: usize = 20480;

fn smoothed(
    grey: &[f32],
    batch: usize,
    height: usize,
    width: usize,
) -> Result<Vec<f32>, NodeError> {
    let weights: Vec<f32> = (-2..=2)
        .map(|x: i8| (-f32::from(x * x) / 2.0).exp())
        .collect();
    let sum: f32 = weights.iter().sum();
    let kernel: Vec<f32> = weights.iter().map(|weight| weight / sum).collect();
    let add = |fuses: bool, weight: f32, value: f32, sum: f32| {
        if fuses {
            fused(weight, value, sum)
        } else {
            sum + weight * value
        }
    };
    let fuses = batch > 1 || height * (width + 4) > FUSED_ABOVE;
    let mut rows = zeroed(&[height, width])?;
    rows.par_chunks_mut(width)
        .zip(grey.par_chunks(width))
        .for_each(|(out, row)| {
            for (x, value) in out.iter_mut().enumerate() {
                for (tap, &weight) in kernel.iter().enumerate() {
                    let source = row[mirrored(x as isize + tap as isize - 2, width)];
                    *value = add(fuses, weight, source, *value);
                }
            }
        });
    let fuses = batch > 1 || (height + 4) * width > FUSED_ABOVE;
    let mut result = zeroed(&[height, width])?;
    result
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(y, out)| {
            for (tap, &weight) in kernel.iter().enumerate() {
                let y = mirrored(y as isize + tap as isize - 2, height);
                for (value, &source) in out.iter_mut().zip(&rows[y * width..][..width]) {
                    *value = add(fuses, weight, source, *value);
                }
            }
        });
    Ok(result)
}

/// The length of the gradient, and its direction as an index into [`AROUND`].
fn gradients(
    smooth: &[f32],
    height: usize,
    width: usize,
) -> Result<(Vec<f32>, Vec<u8>), NodeError> {
    let mut steepness = zeroed(&[height, width])?;
    let mut directions = vec![0_u8; height * width];
    steepness
        .par_chunks_mut(width)
        .zip(directions.par_chunks_mut(width))
        .enumerate()
        .for_each(|(y, (steepness, directions))| {
            let row = |y: usize| &smooth[y * width..][..width];
            let (above, here, below) = (
                row(y.saturating_sub(1)),
                row(y),
                row((y + 1).min(height - 1)),
            );
            for x in 0..width {
                let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
                let across = -above[left] + above[right] - 2.0 * here[left] + 2.0 * here[right]
                    - below[left]
                    + below[right];
                let down = -above[left] - 2.0 * above[x] - above[right]
                    + below[left]
                    + 2.0 * below[x]
                    + below[right];
                steepness[x] = (across * across + down * down + FLAT * FLAT).sqrt();
                let eighths = (down.atan2(across) * (4.0 / std::f32::consts::PI)).round_ties_even();
                directions[x] = (eighths as i8).rem_euclid(8) as u8;
            }
        });
    Ok((steepness, directions))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    None,
    Weak,
    Strong,
}

/// Keeps what is steeper than its two neighbours along the gradient. Of two that are equally steep the left or the upper one is
/// kept; along a diagonal neither.
fn thinned(
    steepness: &[f32],
    directions: &[u8],
    height: usize,
    width: usize,
    thresholds: Thresholds,
) -> Vec<Edge> {
    let mut edges = vec![Edge::None; height * width];
    edges
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(y, edges)| {
            for (x, edge) in edges.iter_mut().enumerate() {
                let here = steepness[y * width + x];
                let beats = |direction: u8| {
                    let (down, right) = AROUND[usize::from(direction)];
                    let there = y
                        .checked_add_signed(down)
                        .zip(x.checked_add_signed(right))
                        .filter(|&(y, x)| y < height && x < width)
                        .map_or(FLAT, |(y, x)| steepness[y * width + x]);
                    match here.total_cmp(&there) {
                        Ordering::Greater => true,
                        Ordering::Equal => matches!(direction, 0 | 2),
                        Ordering::Less => false,
                    }
                };
                let direction = directions[y * width + x];
                if here > FLAT && beats(direction) && beats((direction + 4) % 8) {
                    if here > thresholds.low {
                        *edge = Edge::Weak;
                    }
                    if here > thresholds.low && here > thresholds.high {
                        *edge = Edge::Strong;
                    }
                }
            }
        });
    edges
}

/// Makes weak edges strong that touch strong ones.
fn connect(edges: &mut [Edge], height: usize, width: usize) {
    let mut open: Vec<usize> = (0..edges.len())
        .filter(|&index| edges[index] == Edge::Strong)
        .collect();
    while let Some(index) = open.pop() {
        let (y, x) = (index / width, index % width);
        for (down, right) in AROUND {
            let neighbour = y.checked_add_signed(down).zip(x.checked_add_signed(right));
            if let Some((y, x)) = neighbour.filter(|&(y, x)| y < height && x < width) {
                let neighbour = y * width + x;
                if edges[neighbour] == Edge::Weak {
                    edges[neighbour] = Edge::Strong;
                    open.push(neighbour);
                }
            }
        }
    }
}
