//! `ImageInvert`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::OneImage;
use crate::pixels::map;
use crate::sockets::Image;

/// Turns pictures into their negatives; opacity is turned around as well.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageInvert",
    name = "Invert Image",
    category = "image",
    module = "nodes"
)]
pub struct ImageInvert {
    /// The pictures to invert.
    image: Image,
}

impl Node for ImageInvert {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let values = map(self.image.pixels(), |value| 1.0 - value)?;
        OneImage::of(values, self.image.shape())
    }
}
