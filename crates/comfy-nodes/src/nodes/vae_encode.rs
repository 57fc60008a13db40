//! `VAEEncode`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::sockets::{Image, Latent, Vae};

/// Turns pictures into latents, for instance to sample from a picture instead of from nothing.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAEEncode",
    name = "VAE Encode",
    category = "latent",
    module = "nodes"
)]
pub struct VaeEncode {
    /// The pictures to encode. Opacity is dropped, and what is over a multiple of 8 pixels is cut off at the sides.
    pixels: Image,
    /// The autoencoder of the model that will use the latents.
    vae: Vae,
}

/// The result of [`VaeEncode`].
#[derive(Debug, Outputs)]
pub struct EncodedImage {
    /// The latents.
    #[output(name = "LATENT")]
    pub(super) latent: Latent,
}

impl Node for VaeEncode {
    type Output = EncodedImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedImage, NodeError> {
        Ok(EncodedImage {
            latent: Latent::new(self.vae.encode(&self.pixels)?)?,
        })
    }
}
