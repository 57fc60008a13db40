//! `MaskToImage`, `ImageToMask` and `ImageColorToMask`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::{OneImage, OneMask};
use crate::pixels::zeroed;
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

/// A mask of each picture: `write` gets values and the pixels they are of, a block at a time.
fn mask_of(image: &Image, write: impl Fn(&mut [f32], &[f32]) + Sync) -> Result<OneMask, NodeError> {
    let [batch, height, width, channels] = image.shape();
    let shape = [batch, height, width];
    let mut values = zeroed(&shape)?;
    values
        .par_chunks_mut(BLOCK)
        .zip(image.pixels().par_chunks((channels * BLOCK).max(1)))
        .for_each(|(values, pixels)| write(values, pixels));
    OneMask::of(values, shape)
}

/// One channel of pixels that have `C`.
fn take<const C: usize>(values: &mut [f32], pixels: &[f32], channel: usize) {
    let (pixels, _) = pixels.as_chunks::<C>();
    for (value, pixel) in values.iter_mut().zip(pixels) {
        *value = pixel[channel];
    }
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
        let channels = self.image.shape()[3];
        mask_of(&self.image, |values, pixels| match channels {
            3 => take::<3>(values, pixels, index),
            4 => take::<4>(values, pixels, index),
            _ => {
                for (value, pixel) in values.iter_mut().zip(pixels.chunks_exact(channels)) {
                    *value = pixel[index];
                }
            }
        })
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
        let channels = self.image.shape()[3];
        mask_of(&self.image, |values, pixels| {
            for (value, pixel) in values.iter_mut().zip(pixels.chunks_exact(channels)) {
                let bytes = [0, byte(pixel[0]), byte(pixel[1]), byte(pixel[2])];
                *value = f32::from(u8::from(u32::from_be_bytes(bytes) == self.color));
            }
        })
    }
}
