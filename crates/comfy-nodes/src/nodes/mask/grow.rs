//! `GrowMask`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::OneMask;
use crate::pixels::{Extremum, grow};
use crate::sockets::Mask;

/// Lets masks grow or shrink by pixels.
#[derive(Debug, NodeSpec)]
#[node(
    id = "GrowMask",
    name = "GrowMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct GrowMask {
    /// The masks to change.
    mask: Mask,
    /// By how many pixels they grow; below 0 they shrink.
    #[input(default = 0, min = -16384, max = 16384, step = 1)]
    expand: i64,
    /// Whether corners are cut off, so that a point becomes a diamond; else it becomes a square.
    #[input(default = true)]
    tapered_corners: bool,
}

impl Node for GrowMask {
    type Output = OneMask;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        context.check_interrupt()?;
        let extremum = if self.expand < 0 {
            Extremum::Smallest
        } else {
            Extremum::Largest
        };
        let distance = usize::try_from(self.expand.unsigned_abs()).unwrap_or(usize::MAX);
        let shape = self.mask.shape();
        let values = grow(
            self.mask.pixels(),
            shape,
            distance,
            !self.tapered_corners,
            extremum,
        )?;
        OneMask::of(values, shape)
    }
}
