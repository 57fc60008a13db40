//! From latents to pictures.

use burn::tensor::Tensor;

use super::super::{Activation, Observer};
use super::block::{Blocks, Step, mismatch};
use super::{EPSILON, GROUPS};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{Conv2d, Geometry, GroupNorm, Strategies, upsample_nearest_2x};
use crate::weights::Scope;

/// A first convolution, a middle with attention, and blocks at ever higher resolutions.
#[derive(Debug)]
pub(super) struct Decoder {
    input: Conv2d,
    middle: Blocks,
    /// From the lowest resolution to the highest, against their numbers in the file.
    levels: Vec<Level>,
    norm: GroupNorm,
    output: Conv2d,
    strategies: Strategies,
}

/// The blocks of one resolution and the convolution after the step to the next.
#[derive(Debug)]
struct Level {
    blocks: Blocks,
    double: Option<Step>,
}

impl Decoder {
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let input = Conv2d::load(&scope.enter("conv_in"), Geometry::same(3), device)?;
        let norm = GroupNorm::load(&scope.enter("norm_out"), GROUPS, EPSILON, device)?;
        let output = Conv2d::load(&scope.enter("conv_out"), Geometry::same(3), device)?;
        let levels = (0..scope.count("up"))
            .rev()
            .map(|index| {
                let scope = scope.enter(format!("up.{index}"));
                let place = format!("decoder.up.{index}");
                Level {
                    blocks: Blocks::level(&scope, &place, device),
                    double: Step::find(&scope, "upsample", &place, Geometry::same(3), device),
                }
            })
            .collect();
        Ok(Self {
            input,
            middle: Blocks::middle(&scope.enter("mid"), "decoder.mid", device),
            levels,
            norm,
            output,
            strategies: *device.strategies(),
        })
    }

    /// Reads the blocks, and follows the channels through them.
    pub(super) fn check(mut self, scope: &Scope) -> Result<Self> {
        let mut channels = self
            .middle
            .check(&scope.enter("mid"), self.input.outputs())?;
        let count = self.levels.len();
        for (below_top, level) in self.levels.iter_mut().enumerate() {
            let scope = scope.enter(format!("up.{}", count - 1 - below_top));
            channels = level.blocks.check(&scope, channels)?;
            if let Some(double) = &mut level.double {
                channels = double.check(&scope.enter("upsample"), channels)?;
            }
        }
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

    /// How often the size is doubled.
    pub(super) fn doublings(&self) -> usize {
        self.levels
            .iter()
            .filter(|level| level.double.is_some())
            .count()
    }

    /// The values of the largest tensor on the way from so many latent cells.
    pub(super) fn largest(&self, cells: u64) -> u64 {
        let mut cells = cells;
        let mut largest = self.middle.widest().max(self.input.outputs()) as u64 * cells;
        for level in &self.levels {
            largest = largest.max(level.blocks.widest() as u64 * cells);
            if let Some(double) = &level.double {
                cells *= 4;
                largest = largest.max(double.widest() as u64 * cells);
            }
        }
        largest
    }

    pub(super) fn forward(&self, latent: Tensor<4>, observe: Observer) -> Result<Tensor<4>> {
        let mut x = self.input.forward(latent);
        observe("decoder.conv_in", Activation::Image(&x));
        x = self.middle.forward(x, observe)?;
        for level in &self.levels {
            x = level.blocks.forward(x, observe)?;
            if let Some(double) = &level.double {
                x = double.forward(upsample_nearest_2x(&self.strategies, x), observe)?;
            }
        }
        x = self.output.forward(self.norm.forward_silu(x));
        observe("decoder.conv_out", Activation::Image(&x));
        Ok(x)
    }
}
