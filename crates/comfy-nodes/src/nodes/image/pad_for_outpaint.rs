//! `ImagePadForOutpaint`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::ImageAndMask;
use crate::pixels::zeroed;
use crate::sockets::{Image, Mask};

/// Puts a grey frame around pictures, with the mask of what is to be painted.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ImagePadForOutpaint",
    name = "Pad Image for Outpainting",
    category = "image",
    module = "nodes"
)]
pub struct ImagePadForOutpaint {
    /// The pictures to enlarge.
    image: Image,
    /// Pixels added on the left.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    left: u32,
    /// Pixels added at the top.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    top: u32,
    /// Pixels added on the right.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    right: u32,
    /// Pixels added at the bottom.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    bottom: u32,
    /// How far the mask reaches softly into the picture, beside the sides that grow. Pictures that are not twice as large get none.
    #[input(default = 40u32, min = 0u32, max = 16384u32, step = 1u32)]
    feathering: u32,
}

impl ImagePadForOutpaint {
    /// The mask inside the picture: 1 at an edge beyond which the picture grows, falling as a square to 0.
    fn soft(&self, y: usize, x: usize, height: usize, width: usize) -> f32 {
        let distances = [
            if self.top > 0 { y } else { height },
            if self.bottom > 0 { height - y } else { height },
            if self.left > 0 { x } else { width },
            if self.right > 0 { width - x } else { width },
        ];
        let distance = distances.into_iter().min().unwrap_or(height);
        let reach = self.feathering as usize;
        if distance >= reach {
            return 0.0;
        }
        let part = (reach - distance) as f64 / reach as f64;
        (part * part) as f32
    }
}

impl Node for ImagePadForOutpaint {
    type Output = ImageAndMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ImageAndMask, NodeError> {
        let [batch, height, width, channels] = self.image.shape();
        let [left, top, right, bottom, reach] = [
            self.left,
            self.top,
            self.right,
            self.bottom,
            self.feathering,
        ]
        .map(|pixels| pixels as usize);
        let new_height = height + top + bottom;
        let new_width = width + left + right;
        let mut values = zeroed(&[batch, new_height, new_width, channels])?;
        let mut mask = zeroed(&[new_height, new_width])?;
        let row = new_width * channels;
        if row > 0 {
            values
                .par_chunks_mut(row)
                .enumerate()
                .for_each(|(index, values)| {
                    let source = (index % new_height)
                        .checked_sub(top)
                        .filter(|&y| y < height);
                    let Some(y) = source else {
                        values.fill(0.5);
                        return;
                    };
                    let length = width * channels;
                    let (before, rest) = values.split_at_mut(left * channels);
                    let (inside, after) = rest.split_at_mut(length);
                    before.fill(0.5);
                    inside.copy_from_slice(
                        &self.image.member(index / new_height)[y * length..][..length],
                    );
                    after.fill(0.5);
                });
        }
        let feathers = reach > 0 && reach * 2 < height && reach * 2 < width;
        mask.par_chunks_mut(new_width.max(1))
            .enumerate()
            .for_each(|(y, mask)| {
                mask.fill(1.0);
                if let Some(y) = y.checked_sub(top).filter(|&y| y < height) {
                    for (x, value) in mask[left..left + width].iter_mut().enumerate() {
                        *value = if feathers {
                            self.soft(y, x, height, width)
                        } else {
                            0.0
                        };
                    }
                }
            });
        Ok(ImageAndMask {
            image: Image::from_values(values, [batch, new_height, new_width, channels])?,
            mask: Mask::from_values(mask, [1, new_height, new_width])?,
        })
    }
}
