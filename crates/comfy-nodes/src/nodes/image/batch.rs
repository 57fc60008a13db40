//! `ImageBatch`, `RepeatImageBatch` and `ImageFromBatch`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::nodes::shapes::same_channels;
use crate::pixels::{Crop, scale, with_channels, zeroed};
use crate::resize::Method;
use crate::sockets::Image;

/// Copies slices one after another, on all cores.
pub(super) fn concatenate(parts: &[&[f32]]) -> Result<Vec<f32>, NodeError> {
    let mut result = zeroed(&[parts.iter().map(|part| part.len()).sum()])?;
    let mut rest = &mut result[..];
    for part in parts {
        let (target, after) = rest.split_at_mut(part.len());
        target
            .par_chunks_mut(1 << 18)
            .zip(part.par_chunks(1 << 18))
            .for_each(|(target, part)| target.copy_from_slice(part));
        rest = after;
    }
    Ok(result)
}

/// Puts two batches of pictures into one. Pictures of the second that have another size are scaled and cut to that of the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageBatch",
    name = "Batch Images",
    category = "image",
    module = "nodes"
)]
pub struct ImageBatch {
    /// The pictures that come first; their size is the batch's.
    image1: Image,
    /// The pictures that follow.
    image2: Image,
}

impl Node for ImageBatch {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let channels = self.image1.shape()[3].max(self.image2.shape()[3]);
        // Pictures without opacity get a full one.
        let [first, second] = [self.image1, self.image2].map(|image| match image.shape() {
            [batch, height, width, own] if own + 1 == channels => {
                let values = with_channels(image.pixels(), own, channels)?;
                Image::from_values(values, [batch, height, width, channels])
            }
            _ => Ok(image),
        });
        let (first, second) = (first?, second?);
        same_channels(first.shape()[3], second.shape()[3])?;
        let [first_batch, height, width, _] = first.shape();
        let [second_batch, second_height, second_width, _] = second.shape();
        context.check_interrupt()?;
        let scaled;
        let following = if (second_height, second_width) == (height, width) {
            second.pixels()
        } else {
            scaled = scale(
                second.pixels(),
                second.shape(),
                height,
                width,
                Method::Bilinear,
                Crop::Center,
            )?;
            &scaled
        };
        let values = concatenate(&[first.pixels(), following])?;
        OneImage::of(
            values,
            [first_batch + second_batch, height, width, channels],
        )
    }
}

/// Repeats a batch of pictures as a whole.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RepeatImageBatch",
    name = "RepeatImageBatch",
    category = "image/batch",
    module = "comfy_extras.nodes_images"
)]
pub struct RepeatImageBatch {
    /// The pictures to repeat.
    image: Image,
    /// How often they appear.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    amount: u32,
}

impl Node for RepeatImageBatch {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, height, width, channels] = self.image.shape();
        let amount = self.amount as usize;
        let values = concatenate(&vec![self.image.pixels(); amount])?;
        OneImage::of(values, [batch * amount, height, width, channels])
    }
}

/// Takes some pictures out of a batch.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImageFromBatch",
    name = "ImageFromBatch",
    category = "image/batch",
    module = "comfy_extras.nodes_images"
)]
pub struct ImageFromBatch {
    /// The batch to take them from.
    image: Image,
    /// The first picture, counted from 0; the last one if there are not as many.
    #[input(default = 0u32, min = 0u32, max = 4095u32)]
    batch_index: u32,
    /// How many pictures, as far as there are any.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    length: u32,
}

impl Node for ImageFromBatch {
    type Output = OneImage;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, height, width, channels] = self.image.shape();
        let first = (self.batch_index as usize).min(batch.saturating_sub(1));
        let length = (self.length as usize).min(batch - first);
        let size = self.image.member_len();
        let values = concatenate(&[&self.image.pixels()[first * size..][..length * size]])?;
        OneImage::of(values, [length, height, width, channels])
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn pictures(shape: [usize; 4], first: f32) -> Image {
        let values = (0..shape.iter().product()).map(|index: usize| first + index as f32);
        Image::from_values(values.collect(), shape).unwrap()
    }

    #[test]
    fn batches_are_joined_and_get_opacity() {
        let output = NodeTester::<ImageBatch>::new()
            .wire("image1", pictures([1, 1, 2, 3], 0.0))
            .wire("image2", pictures([2, 1, 2, 4], 10.0))
            .run()
            .unwrap();
        assert_eq!(output.image.shape(), [3, 1, 2, 4]);
        assert_eq!(
            output.image.member(0),
            [0.0, 1.0, 2.0, 1.0, 3.0, 4.0, 5.0, 1.0]
        );
        assert_eq!(output.image.member(2)[..2], [18.0, 19.0]);
        let apart = NodeTester::<ImageBatch>::new()
            .wire("image1", pictures([1, 1, 2, 1], 0.0))
            .wire("image2", pictures([2, 1, 2, 4], 10.0));
        assert!(apart.run().is_err());
    }

    #[test]
    fn parts_stop_at_the_end() {
        for (index, length, expected) in [(0, 1, 0..1), (1, 9, 1..3), (7, 2, 2..3)] {
            let output = NodeTester::<ImageFromBatch>::new()
                .wire("image", pictures([3, 1, 1, 1], 0.0))
                .set("batch_index", index)
                .set("length", length)
                .run()
                .unwrap();
            let expected: Vec<f32> = expected.map(|index: u8| f32::from(index)).collect();
            assert_eq!(output.image.pixels(), expected);
        }
    }

    #[test]
    fn batches_repeat_as_a_whole() {
        let output = NodeTester::<RepeatImageBatch>::new()
            .wire("image", pictures([2, 1, 1, 1], 0.0))
            .set("amount", 2)
            .run()
            .unwrap();
        assert_eq!(output.image.pixels(), [0.0, 1.0, 0.0, 1.0]);
    }
}
