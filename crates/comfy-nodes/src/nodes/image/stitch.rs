//! `ImageStitch`.

use std::borrow::Cow;

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::{Crop, scale, zeroed};
use crate::resize::Method;
use crate::sockets::Image;

/// On which side of the first picture the second one lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Direction {
    /// On the right.
    #[choice("right")]
    Right,
    /// Below.
    #[choice("down")]
    Down,
    /// On the left.
    #[choice("left")]
    Left,
    /// Above.
    #[choice("up")]
    Up,
}

/// The colour of what lies between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum SpacingColor {
    /// White.
    #[choice("white")]
    White,
    /// Black.
    #[choice("black")]
    Black,
    /// Red.
    #[choice("red")]
    Red,
    /// Green.
    #[choice("green")]
    Green,
    /// Blue.
    #[choice("blue")]
    Blue,
}

impl SpacingColor {
    /// Red, green, blue and opacity.
    fn values(self) -> [f32; 4] {
        match self {
            Self::White => [1.0, 1.0, 1.0, 1.0],
            Self::Black => [0.0, 0.0, 0.0, 1.0],
            Self::Red => [1.0, 0.0, 0.0, 1.0],
            Self::Green => [0.0, 1.0, 0.0, 1.0],
            Self::Blue => [0.0, 0.0, 1.0, 1.0],
        }
    }

    /// What fills up a picture that is too small, in all channels.
    fn padding(self) -> f32 {
        match self {
            Self::White => 1.0,
            _ => 0.0,
        }
    }
}

/// Puts two pictures side by side or one above the other.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageStitch",
    name = "Image Stitch",
    category = "image/transform",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageStitch {
    /// The first pictures.
    image1: Image,
    /// Where the second ones go.
    #[input(default = Direction::Right)]
    direction: Direction,
    /// Whether the second ones are scaled to the height or the width of the first; else the smaller ones get a border.
    #[input(default = true)]
    match_image_size: bool,
    /// How many pixels lie between them; an odd number becomes the next even one.
    #[input(default = 0u32, min = 0u32, max = 1024u32, step = 2u32)]
    spacing_width: u32,
    /// The colour of what lies between.
    #[input(default = SpacingColor::White)]
    spacing_color: SpacingColor,
    /// The second pictures; without them the first are returned as they are. The last of a short batch repeats.
    image2: Option<Image>,
}

/// A batch in a box that is as long as the other one on the axis that they share.
struct Part<'a> {
    values: &'a [f32],
    shape: [usize; 4],
    /// Rows above and columns to the left of it in its box.
    offset: (usize, usize),
    /// What fills the box, in the channels that the picture has itself. Those that it lacks are 1.
    padding: f32,
}

impl Part<'_> {
    /// Writes row `y` of the box, with as many channels as the result has.
    fn write_row(&self, picture: usize, y: usize, row: &mut [f32], channels: usize) {
        let [batch, height, width, own] = self.shape;
        let (top, left) = self.offset;
        for pixel in row.chunks_exact_mut(channels) {
            pixel[..own].fill(self.padding);
            pixel[own..].fill(1.0);
        }
        let Some(y) = y.checked_sub(top).filter(|&y| y < height) else {
            return;
        };
        let source =
            &self.values[(picture.min(batch - 1) * height + y) * width * own..][..width * own];
        let inside = &mut row[left * channels..][..width * channels];
        if own == channels {
            inside.copy_from_slice(source);
        } else {
            for (pixel, source) in inside
                .chunks_exact_mut(channels)
                .zip(source.chunks_exact(own))
            {
                pixel[..own].copy_from_slice(source);
            }
        }
    }
}

impl ImageStitch {
    fn sideways(&self) -> bool {
        matches!(self.direction, Direction::Left | Direction::Right)
    }

    /// The second pictures in the size that goes with the first, with their shape.
    fn matched<'a>(&self, second: &'a Image) -> Result<(Cow<'a, [f32]>, [usize; 4]), NodeError> {
        let [_, first_height, first_width, _] = self.image1.shape();
        let [batch, height, width, channels] = second.shape();
        if !self.match_image_size {
            return Ok((Cow::Borrowed(second.pixels()), second.shape()));
        }
        let aspect = width as f64 / height as f64;
        let (height, width) = if self.sideways() {
            (first_height, (first_height as f64 * aspect) as usize)
        } else {
            ((first_width as f64 / aspect) as usize, first_width)
        };
        let values = scale(
            second.pixels(),
            second.shape(),
            height,
            width,
            Method::Lanczos,
            Crop::Disabled,
        )?;
        Ok((Cow::Owned(values), [batch, height, width, channels]))
    }

    /// The result of two parts in the order in which they lie; `height` and `width` are the larger ones of both.
    fn join(
        &self,
        parts: &[Part<'_>; 2],
        height: usize,
        width: usize,
    ) -> Result<OneImage, NodeError> {
        let batch = parts[0].shape[0].max(parts[1].shape[0]);
        let channels = parts[0].shape[3].max(parts[1].shape[3]);
        let spacing = (self.spacing_width as usize).next_multiple_of(2);
        let colour: Vec<f32> = self
            .spacing_color
            .values()
            .into_iter()
            .take(channels)
            .collect();
        let paint = |row: &mut [f32]| {
            for pixel in row.chunks_exact_mut(channels) {
                pixel[..colour.len()].copy_from_slice(&colour);
            }
        };
        let [(first_height, first_width), (second_height, second_width)] =
            parts.each_ref().map(|part| (part.shape[1], part.shape[2]));
        let shape = if self.sideways() {
            [
                batch,
                height,
                first_width + spacing + second_width,
                channels,
            ]
        } else {
            [
                batch,
                first_height + spacing + second_height,
                width,
                channels,
            ]
        };
        let mut values = zeroed(&shape)?;
        values
            .par_chunks_mut((shape[2] * channels).max(1))
            .enumerate()
            .for_each(|(index, row)| {
                let (picture, y) = (index / shape[1], index % shape[1]);
                if self.sideways() {
                    let (first, rest) = row.split_at_mut(first_width * channels);
                    let (between, second) = rest.split_at_mut(spacing * channels);
                    parts[0].write_row(picture, y, first, channels);
                    paint(between);
                    parts[1].write_row(picture, y, second, channels);
                } else if y < first_height {
                    parts[0].write_row(picture, y, row, channels);
                } else if y < first_height + spacing {
                    paint(row);
                } else {
                    parts[1].write_row(picture, y - first_height - spacing, row, channels);
                }
            });
        OneImage::of(values, shape)
    }
}

impl Node for ImageStitch {
    type Output = OneImage;

    fn run(mut self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let Some(second) = self.image2.take() else {
            return Ok(OneImage { image: self.image1 });
        };
        context.check_interrupt()?;
        if self.image1.pixels().is_empty() || second.pixels().is_empty() {
            return Err(NodeError::value(
                "expected at least one picture with at least one pixel on each side",
            ));
        }
        let first_shape = self.image1.shape();
        let (second_values, second_shape) = self.matched(&second)?;
        let height = first_shape[1].max(second_shape[1]);
        let width = first_shape[2].max(second_shape[2]);
        let part = |values, shape: [usize; 4]| Part {
            values,
            shape,
            offset: if self.sideways() {
                ((height - shape[1]) / 2, 0)
            } else {
                (0, (width - shape[2]) / 2)
            },
            padding: self.spacing_color.padding(),
        };
        let first = part(self.image1.pixels(), first_shape);
        let second = part(&second_values, second_shape);
        let parts = match self.direction {
            Direction::Right | Direction::Down => [first, second],
            Direction::Left | Direction::Up => [second, first],
        };
        self.join(&parts, height, width)
    }
}
