//! `ImageAddNoise`.

use comfy_diffusion::random::TorchGenerator;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::OneImage;
use crate::pixels::zip;
use crate::sockets::Image;

/// Adds random noise to pictures, the same for the same seed.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageAddNoise",
    name = "ImageAddNoise",
    category = "image",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageAddNoise {
    /// The pictures to add noise to.
    image: Image,
    /// The seed of the noise.
    #[input(default = 0u64, min = 0u64, max = u64::MAX, control_after_generate)]
    seed: u64,
    /// The standard deviation of the noise.
    #[input(default = 0.5, min = 0.0, max = 1.0, step = 0.01)]
    strength: f64,
}

impl Node for ImageAddNoise {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let noise = TorchGenerator::new(self.seed).randn(self.image.pixels().len());
        let strength = self.strength as f32;
        let values = zip(self.image.pixels(), &noise, |value, noise| {
            (value + strength * noise).clamp(0.0, 1.0)
        })?;
        OneImage::of(values, self.image.shape())
    }
}
