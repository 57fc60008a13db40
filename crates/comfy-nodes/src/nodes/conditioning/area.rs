//! Where prompts count: `ConditioningSetArea`, `ConditioningSetAreaPercentage`, `ConditioningSetAreaStrength` and
//! `ConditioningSetMask`.

use comfy_diffusion::sampling::{Area, Cells, ConditionMask};
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::ChangedConditioning;
use crate::sockets::{Conditioning, Mask};

/// Pixels of a picture for each cell of a latent.
const CELL: u32 = 8;

/// Lets prompts count in a rectangle only.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetArea",
    name = "Conditioning (Set Area)",
    category = "conditioning",
    module = "nodes"
)]
pub struct ConditioningSetArea {
    /// The prompts.
    conditioning: Conditioning,
    /// The width of the rectangle in pixels.
    #[input(default = 64u32, min = 64u32, max = 16384u32, step = 8u32)]
    width: u32,
    /// The height of the rectangle in pixels.
    #[input(default = 64u32, min = 64u32, max = 16384u32, step = 8u32)]
    height: u32,
    /// Its distance from the left, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    x: u32,
    /// Its distance from the top, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    y: u32,
    /// How much the prompts count there.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
}

impl Node for ConditioningSetArea {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let cells = |pixels: u32| (pixels / CELL) as usize;
        let area = Area::Cells(Cells {
            height: cells(self.height),
            width: cells(self.width),
            top: cells(self.y),
            left: cells(self.x),
        });
        Ok(with_area(self.conditioning, area, self.strength))
    }
}

/// Lets prompts count in a rectangle only, given in parts of the picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetAreaPercentage",
    name = "Conditioning (Set Area with Percentage)",
    category = "conditioning",
    module = "nodes"
)]
pub struct ConditioningSetAreaPercentage {
    /// The prompts.
    conditioning: Conditioning,
    /// The part of the picture's width that the rectangle has.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    width: f64,
    /// The part of the picture's height that the rectangle has.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    height: f64,
    /// The part of the picture's width that is left of it.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.01)]
    x: f64,
    /// The part of the picture's height that is above it.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.01)]
    y: f64,
    /// How much the prompts count there.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
}

impl Node for ConditioningSetAreaPercentage {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let area = Area::Share {
            height: self.height,
            width: self.width,
            top: self.y,
            left: self.x,
        };
        Ok(with_area(self.conditioning, area, self.strength))
    }
}

/// The prompts in a rectangle, which takes the place of one around a mask.
fn with_area(conditioning: Conditioning, area: Area, strength: f64) -> ChangedConditioning {
    let limited = conditioning.map(|prompt| {
        prompt.area = Some(area);
        prompt.strength = strength;
        if let Some(mask) = &mut prompt.mask {
            mask.bounds_area = false;
        }
    });
    limited.into()
}

/// Sets how much prompts count beside others.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetAreaStrength",
    name = "ConditioningSetAreaStrength",
    category = "conditioning",
    module = "nodes"
)]
pub struct ConditioningSetAreaStrength {
    /// The prompts.
    conditioning: Conditioning,
    /// How much the prompts count.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
}

impl Node for ConditioningSetAreaStrength {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let strength = self.strength;
        Ok(self
            .conditioning
            .map(|prompt| prompt.strength = strength)
            .into())
    }
}

/// Which part of the latent the model is shown under a masked prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum ConditionArea {
    /// All of it, or the rectangle that was set before.
    #[choice("default")]
    Default,
    /// The rectangle around the mask.
    #[choice("mask bounds")]
    MaskBounds,
}

/// Lets prompts count where a mask says.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetMask",
    name = "Conditioning (Set Mask)",
    category = "conditioning",
    module = "nodes"
)]
pub struct ConditioningSetMask {
    /// The prompts.
    conditioning: Conditioning,
    /// 1 where the prompts count. It is stretched over the latent.
    mask: Mask,
    /// A factor on the mask.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// Which part of the latent the model is shown.
    set_cond_area: ConditionArea,
}

impl Node for ConditioningSetMask {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let mask = ConditionMask {
            values: self.mask.tensor(),
            strength: self.strength,
            bounds_area: self.set_cond_area == ConditionArea::MaskBounds,
        };
        Ok(self
            .conditioning
            .map(|prompt| prompt.mask = Some(mask.clone()))
            .into())
    }
}
