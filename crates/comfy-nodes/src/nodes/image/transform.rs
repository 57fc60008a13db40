//! `ImageCrop`, `ImageRotate` and `ImageFlip`: pixels move, none changes.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::zeroed;
use crate::sockets::Image;

/// Cuts a part out of pictures. It is smaller than asked for where the picture ends.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageCrop",
    name = "Image Crop",
    category = "image/transform",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageCrop {
    /// The pictures to cut.
    image: Image,
    /// The width of the part in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    width: u32,
    /// The height of the part in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    height: u32,
    /// Its first column; the last one of the picture if there are not as many.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    x: u32,
    /// Its first row; the last one of the picture if there are not as many.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    y: u32,
}

impl Node for ImageCrop {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, old_height, old_width, channels] = self.image.shape();
        let left = (self.x as usize).min(old_width.saturating_sub(1));
        let top = (self.y as usize).min(old_height.saturating_sub(1));
        let width = (self.width as usize).min(old_width - left);
        let height = (self.height as usize).min(old_height - top);
        let values = moved(&self.image, height, width, |picture, y, row| {
            let start = ((top + y) * old_width + left) * channels;
            row.copy_from_slice(&picture[start..][..width * channels]);
        })?;
        OneImage::of(values, [batch, height, width, channels])
    }
}

/// Pictures of another size, written row by row from the old ones.
fn moved(
    image: &Image,
    height: usize,
    width: usize,
    write: impl Fn(&[f32], usize, &mut [f32]) + Sync,
) -> Result<Vec<f32>, NodeError> {
    let [batch, _, _, channels] = image.shape();
    let mut values = zeroed(&[batch, height, width, channels])?;
    values
        .par_chunks_mut((width * channels).max(1))
        .enumerate()
        .for_each(|(index, row)| write(image.member(index / height), index % height, row));
    Ok(values)
}

/// A quarter turn or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Rotation {
    /// None.
    #[choice("none")]
    None,
    /// A quarter turn clockwise.
    #[choice("90 degrees")]
    Quarter,
    /// Upside down.
    #[choice("180 degrees")]
    Half,
    /// A quarter turn counter-clockwise.
    #[choice("270 degrees")]
    ThreeQuarters,
}

/// Turns pictures clockwise.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageRotate",
    name = "ImageRotate",
    category = "image/transform",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageRotate {
    /// The pictures to turn.
    image: Image,
    /// How far they are turned clockwise.
    rotation: Rotation,
}

impl Node for ImageRotate {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, height, width, channels] = self.image.shape();
        match self.rotation {
            Rotation::None => Ok(OneImage { image: self.image }),
            Rotation::Half => {
                let row_length = width * channels;
                let values = moved(&self.image, height, width, |picture, y, row| {
                    let source = &picture[(height - 1 - y) * row_length..][..row_length];
                    mirror(source, row, channels);
                })?;
                OneImage::of(values, [batch, height, width, channels])
            }
            Rotation::Quarter | Rotation::ThreeQuarters => {
                let clockwise = self.rotation == Rotation::Quarter;
                let values = quarter_turn(&self.image, clockwise)?;
                OneImage::of(values, [batch, width, height, channels])
            }
        }
    }
}

fn mirror(source: &[f32], row: &mut [f32], channels: usize) {
    for (pixel, source) in row
        .chunks_exact_mut(channels)
        .zip(source.chunks_exact(channels).rev())
    {
        pixel.copy_from_slice(source);
    }
}

/// Rows of the result that one task writes: they come from neighbouring columns, which lie in the same cache lines.
const STRIP: usize = 16;

fn quarter_turn(image: &Image, clockwise: bool) -> Result<Vec<f32>, NodeError> {
    let [batch, height, width, channels] = image.shape();
    let mut values = zeroed(&[batch, width, height, channels])?;
    let row = height * channels;
    if values.is_empty() {
        return Ok(values);
    }
    for (picture, values) in values.chunks_exact_mut(width * row).enumerate() {
        let picture = image.member(picture);
        values
            .par_chunks_mut(row * STRIP)
            .enumerate()
            .for_each(|(strip, values)| {
                let first = strip * STRIP;
                let rows = values.len() / row;
                for x in 0..height {
                    // Turned clockwise, the left column becomes the top row, read from below.
                    let source_y = if clockwise { height - 1 - x } else { x };
                    for offset in 0..rows {
                        let y = first + offset;
                        let source_x = if clockwise { y } else { width - 1 - y };
                        let source =
                            &picture[(source_y * width + source_x) * channels..][..channels];
                        values[offset * row + x * channels..][..channels].copy_from_slice(source);
                    }
                }
            });
    }
    Ok(values)
}

/// At which axis pictures are mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum FlipMethod {
    /// At the horizontal one: upside down.
    #[choice("x-axis: vertically")]
    Vertically,
    /// At the vertical one: left becomes right.
    #[choice("y-axis: horizontally")]
    Horizontally,
}

/// Mirrors pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageFlip",
    name = "ImageFlip",
    category = "image/transform",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageFlip {
    /// The pictures to mirror.
    image: Image,
    /// The axis at which they are mirrored.
    flip_method: FlipMethod,
}

impl Node for ImageFlip {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let shape = self.image.shape();
        let [_, height, width, channels] = shape;
        let length = width * channels;
        let values = moved(&self.image, height, width, |picture, y, row| {
            match self.flip_method {
                FlipMethod::Vertically => {
                    row.copy_from_slice(&picture[(height - 1 - y) * length..][..length]);
                }
                FlipMethod::Horizontally => mirror(&picture[y * length..][..length], row, channels),
            }
        })?;
        OneImage::of(values, shape)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    /// Two rows of three pixels: 0 1 2 above 3 4 5.
    fn picture() -> Image {
        let values = (0..6_u8)
            .flat_map(|value| [f32::from(value), 9.0])
            .collect();
        Image::from_values(values, [1, 2, 3, 2]).unwrap()
    }

    fn first_channel(image: &Image) -> Vec<u8> {
        image
            .pixels()
            .iter()
            .step_by(2)
            .map(|&value| value as u8)
            .collect()
    }

    #[test]
    fn turns_are_clockwise() {
        for (rotation, shape, expected) in [
            ("none", [1, 2, 3, 2], [0, 1, 2, 3, 4, 5]),
            ("90 degrees", [1, 3, 2, 2], [3, 0, 4, 1, 5, 2]),
            ("180 degrees", [1, 2, 3, 2], [5, 4, 3, 2, 1, 0]),
            ("270 degrees", [1, 3, 2, 2], [2, 5, 1, 4, 0, 3]),
        ] {
            let output = NodeTester::<ImageRotate>::new()
                .wire("image", picture())
                .set("rotation", rotation)
                .run()
                .unwrap();
            assert_eq!(
                (output.image.shape(), first_channel(&output.image)),
                (shape, expected.to_vec())
            );
        }
    }

    #[test]
    fn both_axes_mirror() {
        for (method, expected) in [
            ("x-axis: vertically", [3, 4, 5, 0, 1, 2]),
            ("y-axis: horizontally", [2, 1, 0, 5, 4, 3]),
        ] {
            let output = NodeTester::<ImageFlip>::new()
                .wire("image", picture())
                .set("flip_method", method)
                .run()
                .unwrap();
            assert_eq!(first_channel(&output.image), expected);
        }
    }

    #[test]
    fn parts_end_with_the_picture() {
        for (x, y, width, height, shape, expected) in [
            (1, 0, 1, 9, [1, 2, 1, 2], vec![1, 4]),
            (99, 99, 4, 4, [1, 1, 1, 2], vec![5]),
        ] {
            let output = NodeTester::<ImageCrop>::new()
                .wire("image", picture())
                .set("x", x)
                .set("y", y)
                .set("width", width)
                .set("height", height)
                .run()
                .unwrap();
            assert_eq!(
                (output.image.shape(), first_channel(&output.image)),
                (shape, expected)
            );
        }
    }
}
