//! `PorterDuffImageComposite`.

use std::borrow::Cow;

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::ImageAndMask;
use crate::pixels::{Crop, Layer, PorterDuff, porter_duff, scale, zeroed};
use crate::resize::Method;
use crate::sockets::{Image, Mask};

/// Puts pictures with opacity together, by the rules of Porter and Duff and some others.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PorterDuffImageComposite",
    name = "Porter-Duff Image Composite",
    category = "mask/compositing",
    module = "comfy_extras.nodes_compositing",
    v3
)]
pub struct PorterDuffImageComposite {
    /// The pictures above. Those of another size are scaled and cut to that of the destination.
    source: Image,
    /// What is not seen of them: 1 is transparent.
    source_alpha: Mask,
    /// The pictures below; they give the size.
    destination: Image,
    /// What is not seen of them: 1 is transparent.
    destination_alpha: Mask,
    /// How both are put together.
    #[input(default = PorterDuff::Dst)]
    mode: PorterDuff,
}

/// One picture in the wanted size.
fn fit(
    values: &[f32],
    [height, width, channels]: [usize; 3],
    wanted_height: usize,
    wanted_width: usize,
) -> Result<Cow<'_, [f32]>, NodeError> {
    if (height, width) == (wanted_height, wanted_width) {
        return Ok(Cow::Borrowed(values));
    }
    let shape = [1, height, width, channels];
    scale(
        values,
        shape,
        wanted_height,
        wanted_width,
        Method::Bicubic,
        Crop::Center,
    )
    .map(Cow::Owned)
}

impl Node for PorterDuffImageComposite {
    type Output = ImageAndMask;

    fn run(self, context: &mut NodeContext<'_>) -> Result<ImageAndMask, NodeError> {
        let [below_batch, height, width, channels] = self.destination.shape();
        let [above_batch, above_height, above_width, above_channels] = self.source.shape();
        let [above_masks, above_mask_height, above_mask_width] = self.source_alpha.shape();
        let [below_masks, below_mask_height, below_mask_width] = self.destination_alpha.shape();
        let batch = below_batch
            .min(above_batch)
            .min(above_masks)
            .min(below_masks);
        if batch == 0 {
            return Err(NodeError::runtime(
                "expected at least one picture and mask on each side",
            ));
        }
        if channels != above_channels {
            return Err(NodeError::failed(
                "AssertionError",
                format_args!(
                    "expected pictures with the same channels, got {above_channels} and {channels}"
                ),
            ));
        }
        let picture = height * width * channels;
        let mut colours = zeroed(&[batch, height, width, channels])?;
        let mut hidden = zeroed(&[batch, height, width])?;
        for index in 0..batch {
            context.check_interrupt()?;
            let below_hidden = self.destination_alpha.member(index);
            let below_hidden = fit(
                below_hidden,
                [below_mask_height, below_mask_width, 1],
                height,
                width,
            )?;
            let above = fit(
                self.source.member(index),
                [above_height, above_width, channels],
                height,
                width,
            )?;
            let above_hidden = self.source_alpha.member(index);
            let above_hidden = fit(
                above_hidden,
                [above_mask_height, above_mask_width, 1],
                height,
                width,
            )?;
            let source = Layer {
                colours: &above,
                hidden: &above_hidden,
            };
            let destination = Layer {
                colours: self.destination.member(index),
                hidden: &below_hidden,
            };
            let results = (
                &mut colours[index * picture..][..picture],
                &mut hidden[index * height * width..][..height * width],
            );
            porter_duff(self.mode, source, destination, channels, results);
        }
        Ok(ImageAndMask {
            image: Image::from_values(colours, [batch, height, width, channels])?,
            mask: Mask::from_values(hidden, [batch, height, width])?,
        })
    }
}
