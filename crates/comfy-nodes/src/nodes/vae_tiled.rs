//! `VAEDecodeTiled` and `VAEEncodeTiled`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::vae_decode::DecodedImage;
use super::vae_encode::EncodedImage;
use crate::sockets::{Image, Latent, Vae};

/// Turns latents into pictures, tile by tile: it takes less memory than decoding them as a whole, and more time.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAEDecodeTiled",
    name = "VAE Decode (Tiled)",
    category = "_for_testing",
    module = "nodes"
)]
pub struct VaeDecodeTiled {
    /// The latents to decode.
    samples: Latent,
    /// The autoencoder that made the latents, or the one of the model that did.
    vae: Vae,
    /// The sides of a tile, in pixels.
    #[input(default = 512, min = 64, max = 4096, step = 32)]
    tile_size: u32,
    /// How far tiles reach into each other, in pixels; at most a quarter of a tile.
    #[input(default = 64, min = 0, max = 4096, step = 32)]
    overlap: u32,
    /// How many frames are decoded at a time, by autoencoders for videos.
    #[input(default = 64, min = 8, max = 4096, step = 4)]
    temporal_size: u32,
    /// By how many frames parts of a video overlap.
    #[input(default = 8, min = 4, max = 4096, step = 4)]
    temporal_overlap: u32,
}

impl Node for VaeDecodeTiled {
    type Output = DecodedImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<DecodedImage, NodeError> {
        // Pictures have no frames.
        let _ = (self.temporal_size, self.temporal_overlap);
        let ratio = self.vae.ratio()?.max(1);
        let tile = self.tile_size as usize;
        let overlap = if u64::from(self.tile_size) < u64::from(self.overlap) * 4 {
            tile / 4
        } else {
            self.overlap as usize
        };
        let samples = self.samples.samples;
        let image = self
            .vae
            .decode_tiled(samples, tile / ratio, overlap / ratio)?;
        Ok(DecodedImage { image })
    }
}

/// Turns pictures into latents, tile by tile: it takes less memory than encoding them as a whole, and more time.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAEEncodeTiled",
    name = "VAE Encode (Tiled)",
    category = "_for_testing",
    module = "nodes"
)]
pub struct VaeEncodeTiled {
    /// The pictures to encode.
    pixels: Image,
    /// The autoencoder of the model that will use the latents.
    vae: Vae,
    /// The sides of a tile, in pixels.
    #[input(default = 512, min = 64, max = 4096, step = 64)]
    tile_size: u32,
    /// How far tiles reach into each other, in pixels; it must be less than half a tile.
    #[input(default = 64, min = 0, max = 4096, step = 32)]
    overlap: u32,
    /// How many frames are encoded at a time, by autoencoders for videos.
    #[input(default = 64, min = 8, max = 4096, step = 4)]
    temporal_size: u32,
    /// By how many frames parts of a video overlap.
    #[input(default = 8, min = 4, max = 4096, step = 4)]
    temporal_overlap: u32,
}

impl Node for VaeEncodeTiled {
    type Output = EncodedImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedImage, NodeError> {
        // Pictures have no frames.
        let _ = (self.temporal_size, self.temporal_overlap);
        let (tile, overlap) = (self.tile_size as usize, self.overlap as usize);
        let samples = self.vae.encode_tiled(&self.pixels, tile, overlap)?;
        Ok(EncodedImage {
            latent: Latent::new(samples)?,
        })
    }
}
