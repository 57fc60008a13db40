//! `Canny`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneImage;
use crate::pixels::{Thresholds, canny, zeroed};
use crate::sockets::Image;

/// Draws the edges of pictures as white lines on black.
#[derive(Debug, NodeSpec)]
#[node(
    id = "Canny",
    category = "image/preprocessors",
    module = "comfy_extras.nodes_canny",
    v3
)]
pub struct Canny {
    /// The pictures in which to find edges.
    image: Image,
    /// How steep an edge must be to go on from a clear one.
    #[input(default = 0.4, min = 0.01, max = 0.99, step = 0.01)]
    low_threshold: f64,
    /// How steep an edge must be to be a clear one.
    #[input(default = 0.8, min = 0.01, max = 0.99, step = 0.01)]
    high_threshold: f64,
}

impl Node for Canny {
    type Output = OneImage;

    fn run(self, context: &mut NodeContext<'_>) -> Result<OneImage, NodeError> {
        let [batch, height, width, channels] = self.image.shape();
        if ![1, 3].contains(&channels) {
            return Err(NodeError::failed(
                "kornia.core.exceptions.ImageError",
                format_args!("expected pictures of 1 or 3 channels, got {channels}"),
            ));
        }
        if self.low_threshold > self.high_threshold || self.low_threshold <= 0.0 {
            return Err(NodeError::failed(
                "kornia.core.exceptions.ValueCheckError",
                format_args!(
                    "expected a low threshold above 0 that is not above the high one, got {} and {}",
                    self.low_threshold, self.high_threshold
                ),
            ));
        }
        let thresholds = Thresholds {
            low: self.low_threshold as f32,
            high: self.high_threshold as f32,
        };
        let shape = [batch, height, width, 3];
        let mut values = zeroed(&shape)?;
        for (index, values) in values
            .chunks_exact_mut((height * width * 3).max(1))
            .enumerate()
        {
            context.check_interrupt()?;
            let edges = canny(self.image.member(index), self.image.shape(), thresholds)?;
            values
                .par_chunks_mut(3)
                .zip(edges)
                .with_min_len(1 << 13)
                .for_each(|(pixel, edge)| pixel.fill(edge));
        }
        OneImage::of(values, shape)
    }
}
