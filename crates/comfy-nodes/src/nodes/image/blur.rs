//! `ImageBlur` and `ImageSharpen`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::OneImage;
use crate::pixels::{blur, sharpen};
use crate::sockets::Image;

/// Blurs pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageBlur",
    category = "image/postprocessing",
    module = "comfy_extras.nodes_post_processing",
    v3
)]
pub struct ImageBlur {
    /// The pictures to blur.
    image: Image,
    /// How many pixels around a pixel flow into it. Pictures must be larger.
    #[input(default = 1u32, min = 1u32, max = 31u32, step = 1u32)]
    blur_radius: u32,
    /// How evenly they do, relative to the radius: a small value lets the nearest count most.
    #[input(default = 1.0, min = 0.1, max = 10.0, step = 0.1)]
    sigma: f64,
}

impl Node for ImageBlur {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let shape = self.image.shape();
        if self.blur_radius == 0 {
            return Ok(OneImage { image: self.image });
        }
        let radius = self.blur_radius as usize;
        OneImage::of(blur(self.image.pixels(), shape, radius, self.sigma)?, shape)
    }
}

/// Sharpens pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageSharpen",
    category = "image/postprocessing",
    module = "comfy_extras.nodes_post_processing",
    v3
)]
pub struct ImageSharpen {
    /// The pictures to sharpen.
    image: Image,
    /// How many pixels around a pixel it is compared with. Pictures must be larger.
    #[input(default = 1u32, min = 1u32, max = 31u32, step = 1u32)]
    sharpen_radius: u32,
    /// How evenly they count, relative to the radius.
    #[input(default = 1.0, min = 0.1, max = 10.0, step = 0.01)]
    sigma: f64,
    /// How strongly differences are raised.
    #[input(default = 1.0, min = 0.0, max = 5.0, step = 0.01)]
    alpha: f64,
}

impl Node for ImageSharpen {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let shape = self.image.shape();
        if self.sharpen_radius == 0 {
            return Ok(OneImage { image: self.image });
        }
        let radius = self.sharpen_radius as usize;
        let values = sharpen(self.image.pixels(), shape, radius, self.sigma, self.alpha)?;
        OneImage::of(values, shape)
    }
}
