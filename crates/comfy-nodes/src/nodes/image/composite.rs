//! `ImageCompositeMasked`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::blend::fit_channels;
use crate::nodes::outputs::OneImage;
use crate::pixels::{Crop, Placement, composite, scale};
use crate::resize::Method;
use crate::sockets::{Image, Mask};

/// Lays pictures on pictures, as far as a mask shows them. What hangs over the edge is cut off.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageCompositeMasked",
    name = "ImageCompositeMasked",
    category = "image",
    module = "comfy_extras.nodes_mask"
)]
pub struct ImageCompositeMasked {
    /// The pictures below.
    destination: Image,
    /// The pictures that are laid on them; they repeat when there are fewer.
    source: Image,
    /// How far from the left they lie, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    x: u32,
    /// How far from the top they lie, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    y: u32,
    /// Whether they are first scaled to the size of those below.
    #[input(default = false)]
    resize_source: bool,
    /// What is seen of them: 1 is opaque. It is scaled to their size.
    mask: Option<Mask>,
}

impl Node for ImageCompositeMasked {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let mut source = fit_channels(&self.destination, self.source)?;
        let shape = self.destination.shape();
        let [_, height, width, channels] = shape;
        context.check_interrupt()?;
        let [batch, source_height, source_width, _] = source.shape();
        if self.resize_source && [source_height, source_width] != [height, width] {
            let values = scale(
                source.pixels(),
                source.shape(),
                height,
                width,
                Method::Bilinear,
                Crop::Disabled,
            )?;
            source = Image::from_values(values, [batch, height, width, channels])?;
        }
        let [batch, source_height, source_width, _] = source.shape();
        if batch == 0 {
            return Err(NodeError::value(
                "expected at least one picture to lay on others",
            ));
        }
        let mask = match self.mask {
            Some(mask) => Some(fit_mask(&mask, source_height, source_width)?),
            None => None,
        };
        let mask_of = mask.as_ref().map(|mask| |index| mask.member(index));
        let values = composite(
            self.destination.pixels(),
            shape,
            |index| source.member(index),
            [source_height, source_width],
            mask_of.as_ref(),
            Placement {
                x: self.x as usize,
                y: self.y as usize,
            },
        );
        OneImage::of(values, shape)
    }
}

/// Masks scaled linearly to a size.
pub(in crate::nodes) fn fit_mask(
    mask: &Mask,
    height: usize,
    width: usize,
) -> Result<Mask, NodeError> {
    let [batch, old_height, old_width] = mask.shape();
    if batch == 0 {
        return Err(NodeError::value("expected at least one mask"));
    }
    if (old_height, old_width) == (height, width) {
        return Ok(mask.clone());
    }
    let values = scale(
        mask.pixels(),
        [batch, old_height, old_width, 1],
        height,
        width,
        Method::Bilinear,
        Crop::Disabled,
    )?;
    Mask::from_values(values, [batch, height, width])
}
