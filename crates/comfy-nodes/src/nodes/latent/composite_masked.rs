//! `LatentCompositeMasked`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::{ChangedLatent, cells};
use crate::planes::{Axis, Planes};
use crate::sockets::{Latent, Mask};

/// Pastes one latent into another through a mask. What goes over the edge is cut off.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentCompositeMasked",
    category = "latent",
    module = "comfy_extras.nodes_mask"
)]
pub struct LatentCompositeMasked {
    /// The latent to paste into. Its noise mask is kept.
    destination: Latent,
    /// The latent to paste. Its batch is cut or repeated to that of the destination.
    source: Latent,
    /// Pixels from the left edge to the pasted latent.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    x: u32,
    /// Pixels from the upper edge to the pasted latent.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    y: u32,
    /// Whether the pasted latent is stretched to the size of the destination first.
    #[input(default = false)]
    resize_source: bool,
    /// 1 where the pasted latent is seen, 0 where it is not. It is stretched over the pasted latent.
    mask: Option<Mask>,
}

impl Node for LatentCompositeMasked {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let below = self.destination.planes()?;
        let [batch, _, height, width] = below.shape();
        let mut above = self.source.planes()?;
        if self.resize_source {
            above = above.stretched(height, width)?;
        }
        let above = above.with_batch(batch)?;
        let [_, _, rows, columns] = above.shape();
        let mask = match &self.mask {
            None => Planes::filled([1, 1, rows, columns], |_| 1.0)?,
            Some(mask) => mask.planes()?.stretched(rows, columns)?.with_batch(batch)?,
        };

        let left = (cells(self.x.into()) as usize).min(width);
        let top = (cells(self.y.into()) as usize).min(height);
        let rows = rows.min(height - top);
        let columns = columns.min(width - left);
        let window = |planes: &Planes, top, left| {
            planes
                .narrow(Axis::Height, top, rows)?
                .narrow(Axis::Width, left, columns)
        };
        let (mask, above) = (window(&mask, 0, 0)?, window(&above, 0, 0)?);
        let covered = mask.zip(&window(&below, top, left)?, |mask, below| {
            (1.0 - mask) * below
        })?;
        let part = mask
            .zip(&above, |mask, above| mask * above)?
            .zip(&covered, |above, below| above + below)?;
        let pasted = Planes::filled(below.shape(), |[b, c, y, x]| {
            let inside = (top..top + rows).contains(&y) && (left..left + columns).contains(&x);
            if inside {
                part.at([b, c, y - top, x - left])
            } else {
                below.at([b, c, y, x])
            }
        })?;
        Ok(self.destination.with_planes(pasted).into())
    }
}
