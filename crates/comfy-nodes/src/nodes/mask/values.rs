//! `SolidMask`, `InvertMask` and `ThresholdMask`: each value by itself.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneMask;
use crate::pixels::{map, zeroed};
use crate::sockets::Mask;

/// Makes a mask of a single value.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SolidMask",
    name = "SolidMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct SolidMask {
    /// The value everywhere.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    value: f64,
    /// Width in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    width: u32,
    /// Height in pixels.
    #[input(default = 512u32, min = 1u32, max = 16384u32, step = 1u32)]
    height: u32,
}

impl Node for SolidMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        let shape = [1, self.height as usize, self.width as usize];
        let mut values = zeroed(&shape)?;
        let value = self.value as f32;
        values
            .par_chunks_mut(1 << 16)
            .for_each(|values| values.fill(value));
        OneMask::of(values, shape)
    }
}

/// Turns masks into their negatives.
#[derive(Debug, NodeSpec)]
#[node(
    id = "InvertMask",
    name = "InvertMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct InvertMask {
    /// The masks to invert.
    mask: Mask,
}

impl Node for InvertMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        OneMask::of(
            map(self.mask.pixels(), |value| 1.0 - value)?,
            self.mask.shape(),
        )
    }
}

/// Makes masks of 0 and 1.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ThresholdMask",
    name = "ThresholdMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct ThresholdMask {
    /// The masks to decide.
    mask: Mask,
    /// What is above becomes 1, the rest 0.
    #[input(default = 0.5, min = 0.0, max = 1.0, step = 0.01)]
    value: f64,
}

impl Node for ThresholdMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        let limit = self.value as f32;
        let values = map(self.mask.pixels(), |value| {
            f32::from(u8::from(value > limit))
        })?;
        OneMask::of(values, self.mask.shape())
    }
}
