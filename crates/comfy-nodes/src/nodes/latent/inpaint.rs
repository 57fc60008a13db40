//! `SetLatentNoiseMask` and `VAEEncodeForInpaint`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedLatent;
use crate::planes::{Axis, Planes};
use crate::sockets::{Image, Latent, Mask, Vae};

/// Sets where sampling may change a latent; the rest is kept.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SetLatentNoiseMask",
    name = "Set Latent Noise Mask",
    category = "latent/inpaint",
    module = "nodes"
)]
pub struct SetLatentNoiseMask {
    /// The latent.
    samples: Latent,
    /// 1 where the latent may change, 0 where it is kept. It is stretched over the latent.
    mask: Mask,
}

impl Node for SetLatentNoiseMask {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        Ok(Latent {
            noise_mask: Some(self.mask.planes()?.into_tensor()),
            ..self.samples
        }
        .into())
    }
}

/// Turns pictures into latents whose masked part is to be made anew. The pixels under the mask become grey, so that nothing of
/// them is left in the latent; use it with models for inpainting and a denoise of 1.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAEEncodeForInpaint",
    name = "VAE Encode (for Inpainting)",
    category = "latent/inpaint",
    module = "nodes"
)]
pub struct VaeEncodeForInpaint {
    /// The pictures to encode. What is over a multiple of 8 pixels is cut off at the sides.
    pixels: Image,
    /// The autoencoder of the model that will use the latents.
    vae: Vae,
    /// 1 where the pictures are to be made anew; from one half on it counts as 1. It is stretched over the pictures.
    mask: Mask,
    /// By how many pixels in all the part that may change is wider and higher than the mask, so that no seam is seen.
    #[input(default = 6u32, min = 0u32, max = 64u32, step = 1u32)]
    grow_mask_by: u32,
}

impl Node for VaeEncodeForInpaint {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let (grey, mask) = greyed(&self.pixels, &self.mask, self.vae.ratio()?)?;
        let rounded = mask.map(f32::round_ties_even);
        let samples = self.vae.encode(&grey)?;
        let noise_mask = match self.grow_mask_by {
            0 => rounded,
            side => grown(&rounded, side as usize)?,
        };
        Ok(Latent {
            noise_mask: Some(noise_mask.into_tensor()),
            ..Latent::new(samples)?
        }
        .into())
    }
}

/// Pictures whose part under a mask is grey, and the mask in their size; both cut at the sides to a multiple of `ratio` pixels.
pub(in crate::nodes) fn greyed(
    pixels: &Image,
    mask: &Mask,
    ratio: usize,
) -> Result<(Image, Planes), NodeError> {
    let [batch, height, width, channels] = pixels.shape();
    let mask = mask.planes()?.stretched(height, width)?;
    let [top, left] = [height, width].map(|side| side % ratio / 2);
    let [rows, columns] = [height, width].map(|side| side - side % ratio);
    let mask = mask
        .narrow(Axis::Height, top, rows)?
        .narrow(Axis::Width, left, columns)?;
    let masks = mask.size(Axis::Batch);
    if masks != 1 && masks != batch {
        return Err(NodeError::value(format_args!(
            "expected one mask or as many as there are pictures ({batch}), got {masks}"
        )));
    }

    let rounded = mask.clone().map(f32::round_ties_even);
    let mut values = pixels.values()?;
    let mut grey = Vec::with_capacity(batch * rows * columns * channels);
    for (index, row) in values
        .chunks_exact_mut((width * channels).max(1))
        .enumerate()
    {
        let (member, y) = (index / height, index % height);
        if y < top || y >= top + rows {
            continue;
        }
        for (x, pixel) in row[left * channels..][..columns * channels]
            .chunks_exact_mut(channels)
            .enumerate()
        {
            let kept = 1.0 - rounded.at([member, 0, y - top, x]);
            for value in pixel.iter_mut().take(3) {
                *value = (*value - 0.5) * kept + 0.5;
            }
            grey.extend_from_slice(pixel);
        }
    }
    let grey = Image::from_values(grey, [batch, rows, columns, channels])?;
    Ok((grey, mask))
}

/// A mask of zeros and ones in which a square of `side` cells around each 1 is 1. An even square reaches one cell further down and
/// right.
fn grown(mask: &Planes, side: usize) -> Result<Planes, NodeError> {
    let [batch, channels, height, width] = mask.shape();
    let before = side / 2;
    let window =
        |index: usize, size: usize| index.saturating_sub(before)..(index + side - before).min(size);
    let along_rows = Planes::filled([batch, channels, height, width], |[b, c, y, x]| {
        window(x, width)
            .map(|x| mask.at([b, c, y, x]))
            .fold(0.0, f32::max)
    })?;
    Planes::filled([batch, channels, height, width], |[b, c, y, x]| {
        window(y, height)
            .map(|y| along_rows.at([b, c, y, x]))
            .fold(0.0, f32::max)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    /// Figures from `PyTorch`'s `conv2d` with a kernel of ones, clamped.
    #[test]
    fn masks_grow_as_by_a_convolution() {
        let mut values = vec![0.0; 9];
        values[4] = 1.0;
        let mask = Planes::new(values, [1, 1, 1, 9]).unwrap();
        for (side, expected) in [
            (1, "000010000"),
            (2, "000011000"),
            (3, "000111000"),
            (4, "000111100"),
            (6, "001111110"),
        ] {
            let grown = grown(&mask, side).unwrap();
            let text: String = grown
                .values()
                .iter()
                .map(|value| if *value > 0.5 { '1' } else { '0' })
                .collect();
            assert_eq!(text, expected, "{side}");
        }
    }
}
