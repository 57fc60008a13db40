//! `LatentConcat` and `LatentCut`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::ChangedLatent;
use crate::planes::Axis;
use crate::sockets::Latent;

/// Where the second latent goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum JoinAxis {
    /// To the right.
    #[choice("x")]
    Right,
    /// To the left.
    #[choice("-x")]
    Left,
    /// Below.
    #[choice("y")]
    Below,
    /// Above.
    #[choice("-y")]
    Above,
    /// Behind, along the third axis from the end.
    #[choice("t")]
    After,
    /// Before, along the third axis from the end.
    #[choice("-t")]
    Before,
}

/// Puts one latent beside another.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentConcat",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentConcat {
    /// The first latent. Its noise mask is kept.
    samples1: Latent,
    /// The second latent. Its batch is cut or repeated to that of the first; the sides that touch must be equal.
    samples2: Latent,
    /// Where the second latent goes: x is right, y below and t after the first, with a minus on the other side. In latents of
    /// pictures, which have no time, t stands for the channels.
    dim: JoinAxis,
}

impl Node for LatentConcat {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let first = self.samples1.planes()?;
        let second = self.samples2.planes()?;
        let second = second.with_batch(first.size(Axis::Batch))?;
        let joined = match self.dim {
            JoinAxis::Right => first.concatenated(&second, Axis::Width),
            JoinAxis::Left => second.concatenated(&first, Axis::Width),
            JoinAxis::Below => first.concatenated(&second, Axis::Height),
            JoinAxis::Above => second.concatenated(&first, Axis::Height),
            JoinAxis::After => first.concatenated(&second, Axis::Channel),
            JoinAxis::Before => second.concatenated(&first, Axis::Channel),
        }?;
        Ok(self.samples1.with_planes(joined).into())
    }
}

/// The axis of a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum CutAxis {
    /// Columns.
    #[choice("x")]
    Columns,
    /// Rows.
    #[choice("y")]
    Rows,
    /// The third axis from the end.
    #[choice("t")]
    Time,
}

/// Cuts a range of columns or rows out of a latent.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentCut",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentCut {
    /// The latent.
    samples: Latent,
    /// What is counted: x columns, y rows. In latents of pictures, which have no time, t stands for the channels.
    dim: CutAxis,
    /// The first one to keep, in latent cells. Below zero it counts from the end.
    #[input(default = 0i64, min = -16384i64, max = 16384i64, step = 1i64)]
    index: i64,
    /// How many to keep, as far as there are so many.
    #[input(default = 1u32, min = 1u32, max = 16384u32, step = 1u32)]
    amount: u32,
}

impl Node for LatentCut {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let axis = match self.dim {
            CutAxis::Columns => Axis::Width,
            CutAxis::Rows => Axis::Height,
            CutAxis::Time => Axis::Channel,
        };
        let planes = self.samples.planes()?;
        let size = planes.size(axis) as i64;
        let start = if self.index >= 0 {
            self.index.min(size - 1)
        } else {
            self.index.max(-size) + size
        };
        let cut = planes.narrow(axis, start.max(0) as usize, self.amount as usize)?;
        Ok(self.samples.with_planes(cut).into())
    }
}
