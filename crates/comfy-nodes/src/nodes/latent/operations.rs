//! Operations that one node makes ready and another applies.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};
use rayon::prelude::*;

use super::ChangedLatent;
use crate::pixels::sharpening_square;
use crate::planes::{Axis, Planes};
use crate::sockets::{Latent, LatentOperation};

/// Applies an operation to a latent.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentApplyOperation",
    category = "latent/advanced/operations",
    module = "comfy_extras.nodes_latent",
    v3,
    experimental
)]
pub struct LatentApplyOperation {
    /// The latent.
    samples: Latent,
    /// The operation.
    operation: LatentOperation,
}

impl Node for LatentApplyOperation {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let changed = self.operation.apply(&self.samples.planes()?)?;
        Ok(self.samples.with_planes(changed).into())
    }
}

/// The result of a node that makes an operation ready.
#[derive(Debug, Outputs)]
pub struct PreparedOperation {
    /// The operation, for a node that applies it.
    #[output(name = "LATENT_OPERATION")]
    pub operation: LatentOperation,
}

/// An operation that softens extreme values: the lengths of the cells' vectors are compressed, their directions stay.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentOperationTonemapReinhard",
    category = "latent/advanced/operations",
    module = "comfy_extras.nodes_latent",
    v3,
    experimental
)]
pub struct LatentOperationTonemapReinhard {
    /// How much of the range is left: small values compress strongly.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01)]
    multiplier: f64,
}

impl Node for LatentOperationTonemapReinhard {
    type Output = PreparedOperation;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PreparedOperation, NodeError> {
        let multiplier = self.multiplier as f32;
        Ok(PreparedOperation {
            operation: LatentOperation::new(move |latents| tonemap(latents, multiplier)),
        })
    }
}

/// Reinhard et al. 2002: a length l becomes l / (l + top) · top, with a top of five standard deviations above the mean of the
/// member.
fn tonemap(latents: &Planes, multiplier: f32) -> Result<Planes, NodeError> {
    let lengths = lengths(latents, 1e-10)?;
    let cells = lengths.size(Axis::Height) * lengths.size(Axis::Width);
    let tops: Vec<f32> = lengths
        .values()
        .chunks_exact(cells.max(1))
        .map(|member| {
            let (mean, deviation) = statistics(member);
            (deviation * 5.0 + mean) * multiplier
        })
        .collect();
    let tops = Planes::new(tops, [lengths.size(Axis::Batch), 1, 1, 1])?;
    let compressed = lengths.zip(&tops, |length, top| {
        let relative = length * (1.0 / top);
        relative / (relative + 1.0) * top
    })?;
    let directions = latents.zip(&lengths, |value, length| value / length)?;
    directions.zip(&compressed, |direction, length| direction * length)
}

/// Mean and standard deviation of a sample.
fn statistics(values: &[f32]) -> (f32, f32) {
    let count = values.len() as f64;
    let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count;
    let squares: f64 = values
        .iter()
        .map(|value| (f64::from(*value) - mean).powi(2))
        .sum();
    (mean as f32, (squares / (count - 1.0)).sqrt() as f32)
}

/// The length of each cell's vector of channels plus a little, `[batch, 1, height, width]`.
fn lengths(latents: &Planes, more: f32) -> Result<Planes, NodeError> {
    let [batch, channels, height, width] = latents.shape();
    Planes::filled([batch, 1, height, width], |[b, _, y, x]| {
        let squares = (0..channels).map(|c| latents.at([b, c, y, x]).powi(2));
        squares.sum::<f32>().sqrt() + more
    })
}

/// An operation that sharpens: what differs from its surroundings differs more afterwards.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentOperationSharpen",
    category = "latent/advanced/operations",
    module = "comfy_extras.nodes_latent",
    v3,
    experimental
)]
pub struct LatentOperationSharpen {
    /// How far the surroundings reach, in latent cells. The latent must be larger than that on both sides.
    #[input(default = 9u32, min = 1u32, max = 31u32, step = 1u32)]
    sharpen_radius: u32,
    /// How evenly the surroundings count: small values look at the nearest cells alone.
    #[input(default = 1.0, min = 0.1, max = 10.0, step = 0.1)]
    sigma: f64,
    /// How strong the effect is.
    #[input(default = 0.1, min = 0.0, max = 5.0, step = 0.01)]
    alpha: f64,
}

impl Node for LatentOperationSharpen {
    type Output = PreparedOperation;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PreparedOperation, NodeError> {
        let radius = self.sharpen_radius.clamp(1, 1024) as usize;
        let kernel = sharpening_square(radius, self.sigma, self.alpha);
        Ok(PreparedOperation {
            operation: LatentOperation::new(move |latents| sharpen(latents, radius, &kernel)),
        })
    }
}

fn sharpen(latents: &Planes, radius: usize, kernel: &[f32]) -> Result<Planes, NodeError> {
    let [batch, channels, height, width] = latents.shape();
    if height <= radius || width <= radius {
        return Err(NodeError::value(format_args!(
            "expected a latent of more than {radius} cells on each side for a sharpening radius of {radius}, got {width}x{height}"
        )));
    }
    let lengths = lengths(latents, 1e-6)?;
    let directions = latents.zip(&lengths, |value, length| value / length)?;
    // The border is a mirror.
    let mirrored = |index: usize, size: usize| {
        let index = index as i64 - radius as i64;
        let last = size as i64 - 1;
        (last - (last - index.abs()).abs()) as usize
    };
    let rows: Vec<usize> = (0..height + 2 * radius)
        .map(|index| mirrored(index, height))
        .collect();
    let columns: Vec<usize> = (0..width + 2 * radius)
        .map(|index| mirrored(index, width))
        .collect();
    let side = 2 * radius + 1;
    let values: Vec<f32> = (0..batch * channels * height)
        .into_par_iter()
        .flat_map_iter(|line| {
            let plane = &directions.values()[line / height * height * width..][..height * width];
            let y = line % height;
            let (rows, columns) = (&rows, &columns);
            (0..width).map(move |x| {
                let mut sum = 0.0_f32;
                for (row, weights) in rows[y..y + side].iter().zip(kernel.chunks_exact(side)) {
                    let row = &plane[row * width..][..width];
                    for (column, weight) in columns[x..x + side].iter().zip(weights) {
                        sum = row[*column].mul_add(*weight, sum);
                    }
                }
                sum
            })
        })
        .collect();
    Planes::new(values, [batch, channels, height, width])?
        .zip(&lengths, |direction, length| direction * length)
}
