//! `Morphology`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::OneImage;
use crate::pixels::{Operation, morphology};
use crate::sockets::Image;

/// Lets light or dark parts of pictures grow, or finds what is smaller than a square.
#[derive(Debug, NodeSpec)]
#[node(
    id = "Morphology",
    name = "ImageMorphology",
    category = "image/postprocessing",
    module = "comfy_extras.nodes_morphology",
    v3
)]
pub struct Morphology {
    /// The pictures to change.
    image: Image,
    /// What is done.
    operation: Operation,
    /// The side of the square in pixels.
    #[input(default = 3u32, min = 3u32, max = 999u32, step = 1u32)]
    kernel_size: u32,
}

impl Node for Morphology {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let shape = self.image.shape();
        if self.kernel_size == 0 {
            return Err(NodeError::runtime(
                "expected a square of at least one pixel, got 0",
            ));
        }
        let size = self.kernel_size as usize;
        OneImage::of(
            morphology(self.image.pixels(), shape, self.operation, size)?,
            shape,
        )
    }
}
