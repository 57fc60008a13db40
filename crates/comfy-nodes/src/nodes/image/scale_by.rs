//! `ImageScaleBy`, `ImageScaleToTotalPixels` and `ImageScaleToMaxDimension`: sizes that follow from the picture's.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::scale::UpscaleMethod;
use crate::nodes::outputs::OneImage;
use crate::pixels::{Crop, scale};
use crate::resize::Method;
use crate::sockets::Image;

/// Python's `round`, of sizes.
fn rounded(size: f64) -> usize {
    size.round_ties_even() as usize
}

fn scaled(
    image: &Image,
    height: usize,
    width: usize,
    method: Method,
    context: &NodeContext<'_>,
) -> Result<OneImage, NodeError> {
    context.check_interrupt()?;
    let [batch, _, _, channels] = image.shape();
    let values = scale(
        image.pixels(),
        image.shape(),
        height,
        width,
        method,
        Crop::Disabled,
    )?;
    OneImage::of(values, [batch, height, width, channels])
}

/// Makes pictures larger or smaller by a factor.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageScaleBy",
    name = "Upscale Image By",
    category = "image/upscaling",
    module = "nodes"
)]
pub struct ImageScaleBy {
    /// The pictures to scale.
    image: Image,
    /// How new pixels are computed. Area is best for making pictures smaller, lanczos the sharpest for making them larger.
    upscale_method: UpscaleMethod,
    /// The factor for both sides; above 1 the pictures grow.
    #[input(default = 1.0, min = 0.01, max = 8.0, step = 0.01)]
    scale_by: f64,
}

impl Node for ImageScaleBy {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [_, height, width, _] = self.image.shape();
        scaled(
            &self.image,
            rounded(height as f64 * self.scale_by),
            rounded(width as f64 * self.scale_by),
            self.upscale_method.into(),
            context,
        )
    }
}

/// Scales pictures so that they have a number of pixels, and keeps their aspect ratio.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageScaleToTotalPixels",
    category = "image/upscaling",
    module = "comfy_extras.nodes_post_processing",
    v3
)]
pub struct ImageScaleToTotalPixels {
    /// The pictures to scale.
    image: Image,
    /// How new pixels are computed. Area is best for making pictures smaller, lanczos the sharpest for making them larger.
    upscale_method: UpscaleMethod,
    /// How many pixels a picture is to have, in units of 1024 times 1024.
    #[input(default = 1.0, min = 0.01, max = 16.0, step = 0.01)]
    megapixels: f64,
}

impl Node for ImageScaleToTotalPixels {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [_, height, width, _] = self.image.shape();
        let wanted = (self.megapixels * 1024.0 * 1024.0).trunc();
        let factor = (wanted / (width * height).max(1) as f64).sqrt();
        scaled(
            &self.image,
            rounded(height as f64 * factor),
            rounded(width as f64 * factor),
            self.upscale_method.into(),
            context,
        )
    }
}

/// Scales pictures so that their longer side has a length, and keeps their aspect ratio.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageScaleToMaxDimension",
    name = "ImageScaleToMaxDimension",
    category = "image/upscaling",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageScaleToMaxDimension {
    /// The pictures to scale.
    image: Image,
    /// How new pixels are computed. Area is best for making pictures smaller, lanczos the sharpest for making them larger.
    // ComfyUI lists bilinear twice.
    #[input(options = ["area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic"])]
    upscale_method: String,
    /// The new length of the longer side in pixels.
    #[input(default = 512u32, min = 0u32, max = 16384u32, step = 1u32)]
    largest_size: u32,
}

impl Node for ImageScaleToMaxDimension {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let method = match self.upscale_method.as_str() {
            "area" => Method::Area,
            "lanczos" => Method::Lanczos,
            "bilinear" => Method::Bilinear,
            "nearest-exact" => Method::NearestExact,
            "bicubic" => Method::Bicubic,
            other => {
                return Err(NodeError::value(format_args!(
                    "expected a method of scaling, got {other}"
                )));
            }
        };
        let [_, height, width, _] = self.image.shape();
        let largest = self.largest_size as usize;
        let shorter = |side: usize, longest: usize| {
            rounded(side as f64 / longest as f64 * f64::from(self.largest_size))
        };
        let (height, width) = match height.cmp(&width) {
            std::cmp::Ordering::Greater => (largest, shorter(width, height)),
            std::cmp::Ordering::Less => (shorter(height, width), largest),
            std::cmp::Ordering::Equal => (largest, largest),
        };
        scaled(&self.image, height, width, method, context)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn picture(height: usize, width: usize) -> Image {
        Image::from_values(vec![0.5; height * width * 3], [1, height, width, 3]).unwrap()
    }

    #[test]
    fn sizes_round_half_to_even() {
        for (factor, expected) in [
            (0.5, [1, 2, 4, 3]),
            (1.5, [1, 8, 10, 3]),
            (0.3, [1, 2, 2, 3]),
        ] {
            let output = NodeTester::<ImageScaleBy>::new()
                .wire("image", picture(5, 7))
                .set("upscale_method", "area")
                .set("scale_by", factor);
            assert_eq!(output.run().unwrap().image.shape(), expected);
        }
    }

    #[test]
    fn sides_that_vanish_are_errors_except_for_means() {
        let scaled = |method| {
            NodeTester::<ImageScaleBy>::new()
                .wire("image", picture(1, 90))
                .set("upscale_method", method)
                .set("scale_by", 0.3)
                .run()
        };
        for (method, kind) in [("bilinear", "RuntimeError"), ("lanczos", "ValueError")] {
            assert!(
                matches!(scaled(method), Err(NodeError::Failed { kind: found, .. }) if found == kind)
            );
        }
        // The mean of nothing is nothing, for PyTorch too.
        assert_eq!(scaled("area").unwrap().image.shape(), [1, 0, 27, 3]);
    }

    #[test]
    fn the_longer_side_decides() {
        for (height, width, expected) in [
            (10, 20, [1, 4, 8, 3]),
            (30, 10, [1, 8, 3, 3]),
            (3, 3, [1, 8, 8, 3]),
        ] {
            let output = NodeTester::<ImageScaleToMaxDimension>::new()
                .wire("image", picture(height, width))
                .set("upscale_method", "bicubic")
                .set("largest_size", 8);
            assert_eq!(output.run().unwrap().image.shape(), expected);
        }
    }

    #[test]
    fn megapixels_are_of_1024() {
        let output = NodeTester::<ImageScaleToTotalPixels>::new()
            .wire("image", picture(100, 200))
            .set("upscale_method", "nearest-exact")
            .set("megapixels", 0.01);
        assert_eq!(output.run().unwrap().image.shape(), [1, 72, 145, 3]);
    }
}
