//! `LatentRotate`, `LatentFlip` and `LatentCrop`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::{ChangedLatent, cells};
use crate::planes::{Axis, Planes, python_slice};
use crate::sockets::Latent;

/// How far to turn, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Rotation {
    /// Not at all.
    #[choice("none")]
    None,
    /// A quarter.
    #[choice("90 degrees")]
    Quarter,
    /// Half a turn.
    #[choice("180 degrees")]
    Half,
    /// Three quarters.
    #[choice("270 degrees")]
    ThreeQuarters,
}

/// Turns latents clockwise.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentRotate",
    name = "Rotate Latent",
    category = "latent/transform",
    module = "nodes"
)]
pub struct LatentRotate {
    /// The latents to turn.
    samples: Latent,
    /// How far to turn them.
    rotation: Rotation,
}

impl Node for LatentRotate {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let planes = self.samples.planes()?;
        let [batch, channels, height, width] = planes.shape();
        let upright = [batch, channels, height, width];
        let lying = [batch, channels, width, height];
        let turned = match self.rotation {
            Rotation::None => planes,
            Rotation::Quarter => {
                Planes::filled(lying, |[b, c, y, x]| planes.at([b, c, height - 1 - x, y]))?
            }
            Rotation::Half => Planes::filled(upright, |[b, c, y, x]| {
                planes.at([b, c, height - 1 - y, width - 1 - x])
            })?,
            Rotation::ThreeQuarters => {
                Planes::filled(lying, |[b, c, y, x]| planes.at([b, c, x, width - 1 - y]))?
            }
        };
        Ok(self.samples.with_planes(turned).into())
    }
}

/// Along which axis to mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum FlipMethod {
    /// Upside down.
    #[choice("x-axis: vertically")]
    Vertically,
    /// Left and right exchanged.
    #[choice("y-axis: horizontally")]
    Horizontally,
}

/// Mirrors latents.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentFlip",
    name = "Flip Latent",
    category = "latent/transform",
    module = "nodes"
)]
pub struct LatentFlip {
    /// The latents to mirror.
    samples: Latent,
    /// Upside down, or left to right.
    flip_method: FlipMethod,
}

impl Node for LatentFlip {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let planes = self.samples.planes()?;
        let axis = match self.flip_method {
            FlipMethod::Vertically => Axis::Height,
            FlipMethod::Horizontally => Axis::Width,
        };
        let flipped = planes.picked(axis, (0..planes.size(axis)).rev())?;
        Ok(self.samples.with_planes(flipped).into())
    }
}

/// Cuts a rectangle out of latents.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentCrop",
    name = "Crop Latent",
    category = "latent/transform",
    module = "nodes"
)]
pub struct LatentCrop {
    /// The latents to cut from.
    samples: Latent,
    /// The width of the rectangle in pixels.
    #[input(default = 512i64, min = 64i64, max = 16384i64, step = 8i64)]
    width: i64,
    /// The height of the rectangle in pixels.
    #[input(default = 512i64, min = 64i64, max = 16384i64, step = 8i64)]
    height: i64,
    /// Pixels to the left of the rectangle. At least 64 pixels are kept to its right.
    #[input(default = 0i64, min = 0i64, max = 16384i64, step = 8i64)]
    x: i64,
    /// Pixels above the rectangle. At least 64 pixels are kept below.
    #[input(default = 0i64, min = 0i64, max = 16384i64, step = 8i64)]
    y: i64,
}

impl Node for LatentCrop {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let planes = self.samples.planes()?;
        let part = |axis, start: i64, length: i64| {
            let size = planes.size(axis);
            // In a latent of fewer than eight cells this is below zero, and counts from the end.
            let start = cells(start).min(size as i64 - 8);
            python_slice(start, start.saturating_add(cells(length)), size)
        };
        let rows = part(Axis::Height, self.y, self.height);
        let columns = part(Axis::Width, self.x, self.width);
        let cut = planes
            .picked(Axis::Height, rows)?
            .picked(Axis::Width, columns)?;
        Ok(self.samples.with_planes(cut).into())
    }
}
