//! `ImageQuantize`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::quantize::{Dither, quantize};
use crate::pixels::zeroed;
use crate::sockets::Image;

/// Reduces pictures to a few colours, found for each picture by itself.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageQuantize",
    category = "image/postprocessing",
    module = "comfy_extras.nodes_post_processing",
    v3
)]
pub struct ImageQuantize {
    /// The pictures to reduce.
    image: Image,
    /// How many colours may be left.
    #[input(default = 256u32, min = 1u32, max = 256u32, step = 1u32)]
    colors: u32,
    /// How colours between them are shown.
    dither: Dither,
}

impl Node for ImageQuantize {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let shape = self.image.shape();
        let [_, height, width, channels] = shape;
        if channels != 3 {
            return Err(NodeError::runtime(format_args!(
                "expected pictures of red, green and blue, got {channels} channels"
            )));
        }
        if !(1..=256).contains(&self.colors) {
            return Err(NodeError::value(format_args!(
                "expected 1 to 256 colours, got {}",
                self.colors
            )));
        }
        context.check_interrupt()?;
        let mut values = zeroed(&shape)?;
        let picture = (height * width * 3).max(1);
        let pictures = values.par_chunks_exact_mut(picture);
        pictures
            .zip(self.image.pixels().par_chunks_exact(picture))
            .for_each(|(values, source)| {
                // Bytes as PyTorch makes them: the fraction is dropped, and what is out of range wraps around.
                let mut bytes: Vec<u8> = source
                    .par_iter()
                    .with_min_len(1 << 14)
                    .map(|value| (255.0 * value) as i32 as u8)
                    .collect();
                quantize(&mut bytes, width, self.colors as usize, self.dither);
                for (value, byte) in values.iter_mut().zip(bytes) {
                    *value = f32::from(byte) / 255.0;
                }
            });
        OneImage::of(values, shape)
    }
}
