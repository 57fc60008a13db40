//! `ImageUpscaleWithModel`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::errors::from_diffusion;
use crate::nodes::outputs::OneImage;
use crate::sockets::{Image, UpscaleModel};

/// Makes pictures larger with an upscale model, tile by tile. How much larger is a property of the model.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageUpscaleWithModel",
    name = "Upscale Image (using Model)",
    category = "image/upscaling",
    module = "comfy_extras.nodes_upscale_model",
    v3
)]
pub struct ImageUpscaleWithModel {
    /// The upscale model.
    upscale_model: UpscaleModel,
    /// The pictures to make larger.
    image: Image,
}

impl Node for ImageUpscaleWithModel {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let mut stopped = None;
        let larger = self
            .upscale_model
            .0
            .upscale(self.image.tensor(), &mut |done, count| {
                context
                    .progress(done as u64, count as u64)
                    .map_err(|error| {
                        stopped = Some(error);
                        comfy_diffusion::Error::Interrupted
                    })
            });
        match (larger, stopped) {
            (_, Some(error)) => Err(error),
            (larger, None) => Ok(OneImage {
                image: Image::new(larger.map_err(from_diffusion)?)?,
            }),
        }
    }
}
