//! `ResizeAndPadImage`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::{Crop, scale, zeroed};
use crate::resize::Method;
use crate::sockets::Image;

/// The colour around a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum PaddingColor {
    /// White.
    #[choice("white")]
    White,
    /// Black.
    #[choice("black")]
    Black,
}

/// How pixels between others are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Interpolation {
    /// The average of what a new pixel covers.
    #[choice("area")]
    Area,
    /// Cubic between neighbours.
    #[choice("bicubic")]
    Bicubic,
    /// The nearest pixel.
    #[choice("nearest-exact")]
    NearestExact,
    /// Linear between neighbours.
    #[choice("bilinear")]
    Bilinear,
    /// A windowed sinc, on 8 bits.
    #[choice("lanczos")]
    Lanczos,
}

impl From<Interpolation> for Method {
    fn from(interpolation: Interpolation) -> Self {
        match interpolation {
            Interpolation::Area => Self::Area,
            Interpolation::Bicubic => Self::Bicubic,
            Interpolation::NearestExact => Self::NearestExact,
            Interpolation::Bilinear => Self::Bilinear,
            Interpolation::Lanczos => Self::Lanczos,
        }
    }
}

/// Scales pictures so that they fit into a size, and fills the rest with a colour.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ResizeAndPadImage",
    name = "ResizeAndPadImage",
    category = "image/transform",
    module = "comfy_extras.nodes_images"
)]
pub struct ResizeAndPadImage {
    /// The pictures to scale.
    image: Image,
    /// The width of the result in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    target_width: u32,
    /// The height of the result in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    target_height: u32,
    /// The colour around the picture.
    padding_color: PaddingColor,
    /// How new pixels are computed. Area is best for making pictures smaller, lanczos the sharpest for making them larger.
    interpolation: Interpolation,
}

impl Node for ResizeAndPadImage {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, old_height, old_width, channels] = self.image.shape();
        let [height, width] = [self.target_height, self.target_width].map(|size| size as usize);
        let factor = (width as f64 / old_width as f64).min(height as f64 / old_height as f64);
        let inner_height = (old_height as f64 * factor) as usize;
        let inner_width = (old_width as f64 * factor) as usize;
        context.check_interrupt()?;
        let inner = scale(
            self.image.pixels(),
            self.image.shape(),
            inner_height,
            inner_width,
            self.interpolation.into(),
            Crop::Disabled,
        )?;
        let colour = match self.padding_color {
            PaddingColor::White => 1.0,
            PaddingColor::Black => 0.0,
        };
        let (top, left) = ((height - inner_height) / 2, (width - inner_width) / 2);
        let shape = [batch, height, width, channels];
        let mut values = zeroed(&shape)?;
        let inner_row = inner_width * channels;
        values
            .par_chunks_mut((width * channels).max(1))
            .enumerate()
            .for_each(|(index, values)| {
                values.fill(colour);
                let inside = (index % height).checked_sub(top);
                if let Some(y) = inside.filter(|&y| y < inner_height) {
                    let row = index / height * inner_height + y;
                    values[left * channels..][..inner_row]
                        .copy_from_slice(&inner[row * inner_row..][..inner_row]);
                }
            });
        OneImage::of(values, shape)
    }
}
