//! Arithmetic on two latents: `LatentAdd`, `LatentSubtract`, `LatentMultiply`, `LatentInterpolate`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedLatent;
use crate::planes::{Axis, PlaneMethod, Planes};
use crate::resize::Method;
use crate::sockets::Latent;

/// The second latent in the size of the first: scaled after its sides are cut to the aspect ratio, if anything but the batch
/// differs.
pub(super) fn fitted(planes: Planes, shape: [usize; 4]) -> Result<Planes, NodeError> {
    if planes.shape()[1..] == shape[1..] {
        return Ok(planes);
    }
    planes.resized(
        shape[2],
        shape[3],
        PlaneMethod::Each(Method::Bilinear),
        true,
    )
}

/// The second latent in the size of the first and with as many members.
fn matched(first: &Planes, second: &Latent) -> Result<Planes, NodeError> {
    fitted(second.planes()?, first.shape())?.with_batch(first.size(Axis::Batch))
}

/// Adds one latent to another, value by value. The second is scaled and repeated to fit the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentAdd",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentAdd {
    /// The first latent. Its noise mask is kept.
    samples1: Latent,
    /// What is added to it.
    samples2: Latent,
}

impl Node for LatentAdd {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let first = self.samples1.planes()?;
        let sum = first.zip(&matched(&first, &self.samples2)?, |a, b| a + b)?;
        Ok(self.samples1.with_planes(sum).into())
    }
}

/// Subtracts one latent from another, value by value. The second is scaled and repeated to fit the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentSubtract",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentSubtract {
    /// The first latent. Its noise mask is kept.
    samples1: Latent,
    /// What is subtracted from it.
    samples2: Latent,
}

impl Node for LatentSubtract {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let first = self.samples1.planes()?;
        let difference = first.zip(&matched(&first, &self.samples2)?, |a, b| a - b)?;
        Ok(self.samples1.with_planes(difference).into())
    }
}

/// Multiplies all values of a latent by a number.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentMultiply",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentMultiply {
    /// The latent.
    samples: Latent,
    /// The number. 1 changes nothing, less gives a flatter picture, more one with harder contrasts.
    #[input(default = 1.0, min = -10.0, max = 10.0, step = 0.01)]
    multiplier: f64,
}

impl Node for LatentMultiply {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let factor = self.multiplier as f32;
        let product = self.samples.planes()?.map(|value| value * factor);
        Ok(self.samples.with_planes(product).into())
    }
}

/// Mixes two latents cell by cell: the directions of the channels' vectors and their lengths are mixed apart, so that the
/// mixture does not fade. The second latent is scaled and repeated to fit the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentInterpolate",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentInterpolate {
    /// The first latent. Its noise mask is kept.
    samples1: Latent,
    /// The second latent.
    samples2: Latent,
    /// The share of the first latent: 1 is the first alone, 0 the second alone.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    ratio: f64,
}

impl Node for LatentInterpolate {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let (share, rest) = (self.ratio as f32, (1.0 - self.ratio) as f32);
        let first = self.samples1.planes()?;
        let second = matched(&first, &self.samples2)?;
        let lengths = (lengths(&first)?, lengths(&second)?);
        let first = divided(&first, &lengths.0)?;
        let second = divided(&second, &lengths.1)?;
        let direction = first.zip(&second, |a, b| a * share + b * rest)?;
        let direction = divided(&direction, &self::lengths(&direction)?)?;
        let length = lengths.0.zip(&lengths.1, |a, b| a * share + b * rest)?;
        let mixed = direction.zip(&length, |a, b| a * b)?;
        Ok(self.samples1.with_planes(mixed).into())
    }
}

/// A latent by lengths; what is no number becomes 0 and what is infinite the largest number, as `PyTorch`'s `nan_to_num` has it.
fn divided(planes: &Planes, lengths: &Planes) -> Result<Planes, NodeError> {
    planes.zip(lengths, |value, length| {
        let quotient = value / length;
        if quotient.is_nan() {
            0.0
        } else {
            quotient.clamp(f32::MIN, f32::MAX)
        }
    })
}

/// The length of each cell's vector of channels, `[batch, 1, height, width]`.
///
/// `ComfyUI` leaves the axis of the channels out, so that `PyTorch` lines the members up with the channels. For one member that
/// makes no difference. For as many members as channels it divides channel by channel, which is followed here, as pictures depend
/// on it; for any other number of members `ComfyUI` fails, where here each cell has its own length.
fn lengths(planes: &Planes) -> Result<Planes, NodeError> {
    let [batch, channels, height, width] = planes.shape();
    let lengths = Planes::filled([batch, 1, height, width], |[b, _, y, x]| {
        (0..channels)
            .map(|c| planes.at([b, c, y, x]))
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt()
    })?;
    if batch > 1 && batch == channels {
        return Planes::new(lengths.values().to_vec(), [1, batch, height, width]);
    }
    Ok(lengths)
}
