//! `MaskToImage`, `ImageToMask` and `ImageColorToMask`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::{OneImage, OneMask};
use crate::pixels::{collect, zeroed};
use crate::sockets::{Image, Mask};

/// Pixels that one task converts.
const BLOCK: usize = 1 << 13;

/// Grey pictures of masks `[batch, height, width]`: three equal channels.
pub(super) fn grey(mask: &Mask) -> Result<Image, NodeError> {
    let [batch, height, width] = mask.shape();
    let shape = [batch, height, width, 3];
    let mut values = zeroed(&shape)?;
    values
        .par_chunks_mut(3 * BLOCK)
        .zip(mask.pixels().par_chunks(BLOCK))
        .for_each(|(values, mask)| {
            for (pixel, &value) in values.chunks_exact_mut(3).zip(mask) {
                pixel.fill(value);
            }
        });
    Image::from_values(values, shape)
}

/// A mask of each picture: a function of each pixel, which has at least one channel.
fn mask_of(
    image: &Image,
    value: impl Fn(&[f32]) -> f32 + Sync + Send,
) -> Result<OneMask, NodeError> {
    let [batch, height, width, channels] = image.shape();
    // The usual numbers of channels are known to the compiler.
    let values = match channels {
        3 => collect(
            image
                .pixels()
                .as_chunks::<3>()
                .0
                .par_iter()
                .map(|pixel| value(pixel)),
        ),
        4 => collect(
            image
                .pixels()
                .as_chunks::<4>()
                .0
                .par_iter()
                .map(|pixel| value(pixel)),
        ),
        _ => collect(image.pixels().par_chunks_exact(channels).map(value)),
    }?;
    OneMask::of(values, [batch, height, width])
}

/// Turns masks into grey pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "MaskToImage",
    name = "Convert Mask to Image",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct MaskToImage {
    /// The masks to turn into pictures: 1 becomes white.
    mask: Mask,
}

impl Node for MaskToImage {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        Ok(OneImage {
            image: grey(&self.mask)?,
        })
    }
}

/// A channel of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Channel {
    /// The first.
    #[choice("red")]
    Red,
    /// The second.
    #[choice("green")]
    Green,
    /// The third.
    #[choice("blue")]
    Blue,
    /// The fourth: opacity, which only some pictures have.
    #[choice("alpha")]
    Alpha,
}

/// Takes one channel of pictures as masks.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageToMask",
    name = "Convert Image to Mask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct ImageToMask {
    /// The pictures.
    image: Image,
    /// The channel that becomes the mask.
    channel: Channel,
}

impl Node for ImageToMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        let index = match self.channel {
            Channel::Red => 0,
            Channel::Green => 1,
            Channel::Blue => 2,
            Channel::Alpha => 3,
        };
        needs_channels(&self.image, index + 1)?;
        mask_of(&self.image, |pixel| pixel[index])
    }
}

fn needs_channels(image: &Image, count: usize) -> Result<(), NodeError> {
    let channels = image.shape()[3];
    if channels >= count {
        return Ok(());
    }
    Err(NodeError::failed(
        "IndexError",
        format_args!("expected pictures of at least {count} channels, got {channels}"),
    ))
}

/// Makes masks that are 1 where pictures have exactly a colour.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageColorToMask",
    name = "ImageColorToMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct ImageColorToMask {
    /// The pictures.
    image: Image,
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

impl Node for ImageColorToMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        needs_channels(&self.image, 3)?;
        let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
        mask_of(&self.image, |pixel| {
            let bytes = [0, byte(pixel[0]), byte(pixel[1]), byte(pixel[2])];
            f32::from(u8::from(u32::from_be_bytes(bytes) == self.color))
        })
    }
}
