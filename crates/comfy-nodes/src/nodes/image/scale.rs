//! `ImageScale`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::outputs::OneImage;
use crate::pixels::{Crop, scale};
use crate::resize::Method;
use crate::sockets::Image;

/// How pixels between others are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum UpscaleMethod {
    /// The nearest pixel.
    #[choice("nearest-exact")]
    NearestExact,
    /// Linear between neighbours.
    #[choice("bilinear")]
    Bilinear,
    /// The average of what a new pixel covers.
    #[choice("area")]
    Area,
    /// Cubic between neighbours.
    #[choice("bicubic")]
    Bicubic,
    /// A windowed sinc, on 8 bits.
    #[choice("lanczos")]
    Lanczos,
}

impl From<UpscaleMethod> for Method {
    fn from(method: UpscaleMethod) -> Self {
        match method {
            UpscaleMethod::NearestExact => Self::NearestExact,
            UpscaleMethod::Bilinear => Self::Bilinear,
            UpscaleMethod::Area => Self::Area,
            UpscaleMethod::Bicubic => Self::Bicubic,
            UpscaleMethod::Lanczos => Self::Lanczos,
        }
    }
}

/// What to do when the aspect ratio changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum CropChoice {
    /// Stretch the picture.
    #[choice("disabled")]
    Disabled,
    /// Cut its sides.
    #[choice("center")]
    Center,
}

impl From<CropChoice> for Crop {
    fn from(choice: CropChoice) -> Self {
        match choice {
            CropChoice::Disabled => Self::Disabled,
            CropChoice::Center => Self::Center,
        }
    }
}

/// Scales pictures to a size, up or down.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageScale",
    name = "Upscale Image",
    category = "image/upscaling",
    module = "nodes"
)]
pub struct ImageScale {
    /// The pictures to scale.
    image: Image,
    /// How new pixels are computed. Area is best for making pictures smaller, lanczos the sharpest for making them larger.
    upscale_method: UpscaleMethod,
    /// The new width in pixels; 0 follows from the height and the aspect ratio.
    #[input(default = 512u32, min = 0u32, max = 16384u32, step = 1u32)]
    width: u32,
    /// The new height in pixels; 0 follows from the width and the aspect ratio.
    #[input(default = 512u32, min = 0u32, max = 16384u32, step = 1u32)]
    height: u32,
    /// What to do when the aspect ratio changes: stretch the picture, or cut what is too much at its sides.
    crop: CropChoice,
}

impl Node for ImageScale {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, old_height, old_width, channels] = self.image.shape();
        if (self.width, self.height) == (0, 0) {
            return Ok(OneImage { image: self.image });
        }
        if old_height == 0 || old_width == 0 {
            return Err(NodeError::value(format_args!(
                "expected pictures with at least one pixel, got shape {:?}",
                self.image.shape()
            )));
        }
        context.check_interrupt()?;
        let width = side(self.width, old_width, self.height, old_height);
        let height = side(self.height, old_height, self.width, old_width);
        let values = scale(
            self.image.pixels(),
            self.image.shape(),
            height,
            width,
            self.upscale_method.into(),
            self.crop.into(),
        )?;
        OneImage::of(values, [batch, height, width, channels])
    }
}

/// The wanted length of a side, or, where that is 0, what keeps the aspect ratio when the other side gets its wanted length.
fn side(wanted: u32, old: usize, other_wanted: u32, other_old: usize) -> usize {
    if wanted > 0 {
        return wanted as usize;
    }
    let scaled = old as f64 * f64::from(other_wanted) / other_old as f64;
    (scaled.round_ties_even() as usize).max(1)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn run(
        shape: [usize; 4],
        width: u32,
        height: u32,
        method: &str,
        crop: &str,
    ) -> Result<[usize; 4], NodeError> {
        let image = Image::from_values(vec![0.5; shape.iter().product()], shape).unwrap();
        let tester = NodeTester::<ImageScale>::new()
            .wire("image", image)
            .set("upscale_method", method)
            .set("crop", crop);
        Ok(tester
            .set("width", width)
            .set("height", height)
            .run()?
            .image
            .shape())
    }

    #[test]
    fn a_zero_follows_from_the_other_side() {
        for (width, height, expected) in [
            (8, 0, [2, 4, 8, 3]),
            (0, 8, [2, 8, 16, 3]),
            (0, 0, [2, 10, 20, 3]),
            (5, 6, [2, 6, 5, 3]),
            (1, 0, [2, 1, 1, 3]),
        ] {
            for method in UpscaleMethod::NAMES {
                assert_eq!(
                    run([2, 10, 20, 3], width, height, method, "disabled").unwrap(),
                    expected,
                    "{method}"
                );
                assert_eq!(
                    run([2, 10, 20, 3], width, height, method, "center").unwrap(),
                    expected,
                    "{method}"
                );
            }
        }
    }

    #[test]
    fn impossible_sizes_are_errors() {
        assert!(matches!(
            run([1, 0, 5, 3], 5, 5, "area", "center"),
            Err(NodeError::Failed { .. })
        ));
        assert!(matches!(
            run([1, 2, 2, 1], u32::MAX, u32::MAX, "area", "center"),
            Err(NodeError::OutOfMemory(_))
        ));
        assert!(run([1, 1, 16, 3], 0, 1, "lanczos", "center").is_ok());
    }
}
