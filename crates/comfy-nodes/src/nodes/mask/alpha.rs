//! `SplitImageWithAlpha` and `JoinImageWithAlpha`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::image::fit_mask;
use crate::nodes::outputs::{ImageAndMask, OneImage};
use crate::pixels::{with_channels, zeroed};
use crate::sockets::{Image, Mask};

/// Separates colours from opacity.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SplitImageWithAlpha",
    name = "Split Image with Alpha",
    category = "mask/compositing",
    module = "comfy_extras.nodes_compositing",
    v3
)]
pub struct SplitImageWithAlpha {
    /// The pictures to separate. Without opacity they give empty masks.
    image: Image,
}

impl Node for SplitImageWithAlpha {
    type Output = ImageAndMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ImageAndMask, NodeError> {
        let [batch, height, width, channels] = self.image.shape();
        let kept = channels.min(3);
        let image = if channels == kept {
            self.image.clone()
        } else {
            let values = with_channels(self.image.pixels(), channels, kept)?;
            Image::from_values(values, [batch, height, width, kept])?
        };
        let mut hidden = zeroed(&[batch, height, width])?;
        if channels > 3 {
            hidden
                .par_iter_mut()
                .zip(self.image.pixels().par_chunks(channels))
                .with_min_len(1 << 13)
                .for_each(|(hidden, pixel)| *hidden = 1.0 - pixel[3]);
        }
        Ok(ImageAndMask {
            image,
            mask: Mask::from_values(hidden, [batch, height, width])?,
        })
    }
}

/// Gives pictures an opacity from masks.
#[derive(Debug, NodeSpec)]
#[node(
    id = "JoinImageWithAlpha",
    name = "Join Image with Alpha",
    category = "mask/compositing",
    module = "comfy_extras.nodes_compositing",
    v3
)]
pub struct JoinImageWithAlpha {
    /// The pictures; an opacity that they have is replaced.
    image: Image,
    /// What is not to be seen: 1 is transparent. Masks of another size are scaled; of the longer batch the rest is left out.
    alpha: Mask,
}

impl Node for JoinImageWithAlpha {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [pictures, height, width, channels] = self.image.shape();
        let batch = pictures.min(self.alpha.shape()[0]);
        if pictures == 0 {
            return Err(NodeError::value("expected at least one picture"));
        }
        let mask = fit_mask(&self.alpha, height, width)?;
        let kept = channels.min(3);
        let shape = [batch, height, width, kept + 1];
        let mut values = zeroed(&shape)?;
        values
            .par_chunks_mut((width * (kept + 1)).max(1))
            .enumerate()
            .for_each(|(index, row)| {
                let (picture, y) = (index / height, index % height);
                let source =
                    &self.image.member(picture)[y * width * channels..][..width * channels];
                let hidden = &mask.member(picture)[y * width..][..width];
                let sources = source.chunks_exact(channels).zip(hidden);
                for (pixel, (source, hidden)) in row.chunks_exact_mut(kept + 1).zip(sources) {
                    pixel[..kept].copy_from_slice(&source[..kept]);
                    pixel[kept] = 1.0 - hidden;
                }
            });
        OneImage::of(values, shape)
    }
}
