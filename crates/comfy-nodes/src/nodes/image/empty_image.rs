//! `EmptyImage`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::zeroed;

/// Makes pictures of a single colour.
#[derive(Debug, NodeSpec)]
#[node(
    id = "EmptyImage",
    name = "EmptyImage",
    category = "image",
    module = "nodes"
)]
pub struct EmptyImage {
    /// Width in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    width: u32,
    /// Height in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    height: u32,
    /// How many pictures are made.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
    /// The colour as 65536 times red plus 256 times green plus blue, each up to 255.
    #[input(
        default = 0u32,
        min = 0u32,
        max = 0xFF_FFFFu32,
        step = 1u32,
        display = "color"
    )]
    color: u32,
}

impl Node for EmptyImage {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [_, bytes @ ..] = self.color.to_be_bytes();
        let colour = bytes.map(|byte| f32::from(byte) / 255.0);
        let shape = [self.batch_size, self.height, self.width, 3].map(|size| size as usize);
        let mut values = zeroed(&shape)?;
        if self.color & 0xFF_FFFF != 0 {
            values.par_chunks_mut(3 << 13).for_each(|values| {
                for pixel in values.chunks_exact_mut(3) {
                    pixel.copy_from_slice(&colour);
                }
            });
        }
        OneImage::of(values, shape)
    }
}
