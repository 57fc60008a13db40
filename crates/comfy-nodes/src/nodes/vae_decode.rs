//! `VAEDecode`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::sockets::{Image, Latent, Vae};

/// Turns latents into pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAEDecode",
    name = "VAE Decode",
    category = "latent",
    module = "nodes"
)]
pub struct VaeDecode {
    /// The latents to decode.
    samples: Latent,
    /// The autoencoder that made the latents, or the one of the model that did.
    vae: Vae,
}

/// The result of [`VaeDecode`].
#[derive(Debug, Outputs)]
pub struct DecodedImage {
    /// The pictures.
    #[output(name = "IMAGE")]
    pub(super) image: Image,
}

impl Node for VaeDecode {
    type Output = DecodedImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<DecodedImage, NodeError> {
        Ok(DecodedImage {
            image: self.vae.decode(self.samples.samples)?,
        })
    }
}
