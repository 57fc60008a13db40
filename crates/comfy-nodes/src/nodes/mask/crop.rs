//! `CropMask`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneMask;
use crate::pixels::zeroed;
use crate::sockets::Mask;

/// Cuts a part out of masks. It is smaller than asked for where the mask ends, and empty beyond.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CropMask",
    name = "CropMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct CropMask {
    /// The masks to cut.
    mask: Mask,
    /// The first column of the part.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    x: u32,
    /// The first row of the part.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    y: u32,
    /// The width of the part in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    width: u32,
    /// The height of the part in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    height: u32,
}

impl Node for CropMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        let [batch, old_height, old_width] = self.mask.shape();
        let (left, top) = (self.x as usize, self.y as usize);
        let width = (self.width as usize).min(old_width.saturating_sub(left));
        let height = (self.height as usize).min(old_height.saturating_sub(top));
        let shape = [batch, height, width];
        let mut values = zeroed(&shape)?;
        values
            .par_chunks_mut(width.max(1))
            .enumerate()
            .for_each(|(index, row)| {
                let start = (top + index % height) * old_width + left;
                row.copy_from_slice(&self.mask.member(index / height)[start..][..width]);
            });
        OneMask::of(values, shape)
    }
}
