//! `ImageBlend`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::nodes::shapes::{broadcast, same_channels};
use crate::pixels::{BlendMode, Crop, blend, scale, with_channels, zeroed};
use crate::resize::Method;
use crate::sockets::Image;

/// Blends two batches of pictures. Pictures of the second that have another size are scaled and cut to that of the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageBlend",
    category = "image/postprocessing",
    module = "comfy_extras.nodes_post_processing",
    v3
)]
pub struct ImageBlend {
    /// The pictures below; their size is the result's.
    image1: Image,
    /// The pictures above.
    image2: Image,
    /// How much of the blending is seen: 0 leaves the pictures below as they are.
    #[input(default = 0.5, min = 0.0, max = 1.0, step = 0.01)]
    blend_factor: f64,
    /// How the pictures above act on those below.
    blend_mode: BlendMode,
}

/// The second picture with the channels of the first: cut, or with one more that is full opacity.
pub(super) fn fit_channels(first: &Image, second: Image) -> Result<Image, NodeError> {
    let [batch, height, width, own] = second.shape();
    let wanted = first.shape()[3].min(own + 1);
    let second = if own == wanted {
        second
    } else {
        let values = with_channels(second.pixels(), own, wanted)?;
        Image::from_values(values, [batch, height, width, wanted])?
    };
    same_channels(first.shape()[3], wanted)?;
    Ok(second)
}

impl Node for ImageBlend {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let mut above = fit_channels(&self.image1, self.image2)?;
        let [below_batch, height, width, channels] = self.image1.shape();
        let [above_batch, above_height, above_width, _] = above.shape();
        let batch = broadcast(below_batch, above_batch)?;
        context.check_interrupt()?;
        if (above_height, above_width) != (height, width) {
            let values = scale(
                above.pixels(),
                above.shape(),
                height,
                width,
                Method::Bicubic,
                Crop::Center,
            )?;
            above = Image::from_values(values, [above_batch, height, width, channels])?;
        }
        let shape = [batch, height, width, channels];
        let mut values = zeroed(&shape)?;
        let combine = blend(self.blend_mode, self.blend_factor);
        let row = (width * channels).max(1);
        values
            .par_chunks_mut(row)
            .enumerate()
            .for_each(|(index, values)| {
                let (picture, y) = (index / height, index % height);
                let below = &self.image1.member(picture)[y * row..][..row];
                let above = &above.member(picture)[y * row..][..row];
                for ((value, &below), &above) in values.iter_mut().zip(below).zip(above) {
                    *value = combine(below, above);
                }
            });
        OneImage::of(values, shape)
    }
}
