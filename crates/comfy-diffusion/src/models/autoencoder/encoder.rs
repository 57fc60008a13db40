//! From pictures to the moments of latents.

use burn::tensor::Tensor;

use super::super::{Activation, Observer};
use super::block::{Blocks, Step, mismatch};
use super::{EPSILON, GROUPS};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{Conv2d, Geometry, GroupNorm};
use crate::weights::Scope;

/// Blocks at ever lower resolutions, a middle with attention, and a last convolution.
#[derive(Debug)]
pub(super) struct Encoder {
    input: Conv2d,
    levels: Vec<Level>,
    middle: Blocks,
    norm: GroupNorm,
    output: Conv2d,
}

/// The blocks of one resolution and the step to the next.
#[derive(Debug)]
struct Level {
    blocks: Blocks,
    halve: Option<Step>,
}

impl Encoder {
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let input = Conv2d::load(&scope.enter("conv_in"), Geometry::same(3), device)?;
        let norm = GroupNorm::load(&scope.enter("norm_out"), GROUPS, EPSILON, device)?;
        let output = Conv2d::load(&scope.enter("conv_out"), Geometry::same(3), device)?;
        let levels = (0..scope.count("down"))
            .map(|index| {
                let scope = scope.enter(format!("down.{index}"));
                let place = format!("encoder.down.{index}");
                let padded = Geometry::HALVE_PAD_END;
                Level {
                    blocks: Blocks::level(&scope, &place, device),
                    halve: Step::find(&scope, "downsample", &place, padded, device),
                }
            })
            .collect();
        Ok(Self {
            input,
            levels,
            middle: Blocks::middle(&scope.enter("mid"), "encoder.mid", device),
            norm,
            output,
        })
    }

    /// Reads the blocks, and follows the channels through them.
    pub(super) fn check(mut self, scope: &Scope) -> Result<Self> {
        let mut channels = self.input.outputs();
        for (index, level) in self.levels.iter_mut().enumerate() {
            let scope = scope.enter(format!("down.{index}"));
            channels = level.blocks.check(&scope, channels)?;
            if let Some(halve) = &mut level.halve {
                channels = halve.check(&scope.enter("downsample"), channels)?;
            }
        }
        channels = self.middle.check(&scope.enter("mid"), channels)?;
        for (name, inputs) in [
            ("norm_out", self.norm.channels()),
            ("conv_out", self.output.inputs()),
        ] {
            if inputs != channels {
                return Err(mismatch(&scope.enter(name), inputs, channels));
            }
        }
        Ok(self)
    }

    pub(super) fn inputs(&self) -> usize {
        self.input.inputs()
    }

    pub(super) fn outputs(&self) -> usize {
        self.output.outputs()
    }

    /// How often the size is halved.
    pub(super) fn halvings(&self) -> usize {
        self.levels
            .iter()
            .filter(|level| level.halve.is_some())
            .count()
    }

    /// The values of the largest tensor on the way from so many pixels.
    pub(super) fn largest(&self, pixels: u64) -> u64 {
        let mut cells = pixels;
        let mut largest = self.input.outputs() as u64 * cells;
        for level in &self.levels {
            largest = largest.max(level.blocks.widest() as u64 * cells);
            if level.halve.is_some() {
                cells = cells.div_ceil(4);
            }
        }
        largest.max(self.middle.widest() as u64 * cells)
    }

    pub(super) fn forward(&self, pixels: Tensor<4>, observe: Observer) -> Result<Tensor<4>> {
        let mut x = self.input.forward(pixels);
        observe("encoder.conv_in", Activation::Image(&x));
        for level in &self.levels {
            x = level.blocks.forward(x, observe)?;
            if let Some(halve) = &level.halve {
                x = halve.forward(x, observe)?;
            }
        }
        x = self.middle.forward(x, observe)?;
        x = self.output.forward(self.norm.forward_silu(x));
        observe("encoder.conv_out", Activation::Image(&x));
        Ok(x)
    }
}
