//! `LatentUpscale` and `LatentUpscaleBy`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::ChangedLatent;
use crate::nodes::image::CropChoice;
use crate::planes::PlaneMethod;
use crate::resize::Method;
use crate::sockets::Latent;

/// How latent cells between others are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum LatentUpscaleMethod {
    /// The nearest cell.
    #[choice("nearest-exact")]
    NearestExact,
    /// Linear between neighbours.
    #[choice("bilinear")]
    Bilinear,
    /// The average of what a new cell covers.
    #[choice("area")]
    Area,
    /// Cubic between neighbours.
    #[choice("bicubic")]
    Bicubic,
    /// Along the arc between the neighbours' vectors.
    #[choice("bislerp")]
    Bislerp,
}

impl From<LatentUpscaleMethod> for PlaneMethod {
    fn from(method: LatentUpscaleMethod) -> Self {
        Self::Each(match method {
            LatentUpscaleMethod::NearestExact => Method::NearestExact,
            LatentUpscaleMethod::Bilinear => Method::Bilinear,
            LatentUpscaleMethod::Area => Method::Area,
            LatentUpscaleMethod::Bicubic => Method::Bicubic,
            LatentUpscaleMethod::Bislerp => return Self::Bislerp,
        })
    }
}

/// The same, bislerp first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum BislerpFirst {
    /// Along the arc between the neighbours' vectors.
    #[choice("bislerp")]
    Bislerp,
    /// The nearest cell.
    #[choice("nearest-exact")]
    NearestExact,
    /// Linear between neighbours.
    #[choice("bilinear")]
    Bilinear,
    /// The average of what a new cell covers.
    #[choice("area")]
    Area,
    /// Cubic between neighbours.
    #[choice("bicubic")]
    Bicubic,
}

impl From<BislerpFirst> for PlaneMethod {
    fn from(method: BislerpFirst) -> Self {
        Self::from(match method {
            BislerpFirst::Bislerp => LatentUpscaleMethod::Bislerp,
            BislerpFirst::NearestExact => LatentUpscaleMethod::NearestExact,
            BislerpFirst::Bilinear => LatentUpscaleMethod::Bilinear,
            BislerpFirst::Area => LatentUpscaleMethod::Area,
            BislerpFirst::Bicubic => LatentUpscaleMethod::Bicubic,
        })
    }
}

/// The same, bicubic first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum BicubicFirst {
    /// Cubic between neighbours.
    #[choice("bicubic")]
    Bicubic,
    /// The nearest cell.
    #[choice("nearest-exact")]
    NearestExact,
    /// Linear between neighbours.
    #[choice("bilinear")]
    Bilinear,
    /// The average of what a new cell covers.
    #[choice("area")]
    Area,
    /// Along the arc between the neighbours' vectors.
    #[choice("bislerp")]
    Bislerp,
}

impl From<BicubicFirst> for PlaneMethod {
    fn from(method: BicubicFirst) -> Self {
        Self::from(match method {
            BicubicFirst::Bicubic => LatentUpscaleMethod::Bicubic,
            BicubicFirst::NearestExact => LatentUpscaleMethod::NearestExact,
            BicubicFirst::Bilinear => LatentUpscaleMethod::Bilinear,
            BicubicFirst::Area => LatentUpscaleMethod::Area,
            BicubicFirst::Bislerp => LatentUpscaleMethod::Bislerp,
        })
    }
}

/// Scales latents to the size of a picture, up or down. Sample them again afterwards, with a denoise below 1: a scaled latent by
/// itself decodes to a blurred picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentUpscale",
    name = "Upscale Latent",
    category = "latent",
    module = "nodes"
)]
pub struct LatentUpscale {
    /// The latents to scale.
    samples: Latent,
    /// How new cells are computed. Bislerp keeps the contrast best.
    upscale_method: LatentUpscaleMethod,
    /// The new width in pixels of the picture, at least 64; 0 follows from the height and the aspect ratio.
    #[input(default = 512u32, min = 0u32, max = 16384u32, step = 8u32)]
    width: u32,
    /// The new height in pixels of the picture, at least 64; 0 follows from the width and the aspect ratio.
    #[input(default = 512u32, min = 0u32, max = 16384u32, step = 8u32)]
    height: u32,
    /// What to do when the aspect ratio changes: stretch the latent, or cut what is too much at its sides.
    crop: CropChoice,
}

impl Node for LatentUpscale {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        /// The smallest side in pixels.
        const SMALLEST: u32 = 64;
        let (width, height) = match (self.width, self.height) {
            (0, 0) => return Ok(self.samples.into()),
            (0, height) => {
                let height = height.max(SMALLEST);
                (follow(&self.samples, 3, height, 2), height)
            }
            (width, 0) => {
                let width = width.max(SMALLEST);
                (width, follow(&self.samples, 2, width, 3))
            }
            sizes => sizes,
        };
        let [width, height] = [width, height].map(|side| (side.max(SMALLEST) / 8) as usize);
        let planes = self.samples.planes()?.resized(
            height,
            width,
            self.upscale_method.into(),
            self.crop == CropChoice::Center,
        )?;
        Ok(self.samples.with_planes(planes).into())
    }
}

/// The length of the side `axis` that keeps the aspect ratio when the side `other_axis` gets `other` pixels.
fn follow(latent: &Latent, axis: usize, other: u32, other_axis: usize) -> u32 {
    let [side, other_side] = [axis, other_axis].map(|axis| latent.shape()[axis] as f64);
    // An empty latent gives infinity, which becomes the largest number, and fails later for its shape.
    (side * f64::from(other) / other_side).round_ties_even() as u32
}

/// Scales latents by a factor.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentUpscaleBy",
    name = "Upscale Latent By",
    category = "latent",
    module = "nodes"
)]
pub struct LatentUpscaleBy {
    /// The latents to scale.
    samples: Latent,
    /// How new cells are computed. Bislerp keeps the contrast best.
    upscale_method: LatentUpscaleMethod,
    /// How many times as wide and as high the latent becomes.
    #[input(default = 1.5, min = 0.01, max = 8.0, step = 0.01)]
    scale_by: f64,
}

impl Node for LatentUpscaleBy {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let [_, _, height, width] = self.samples.shape();
        let [height, width] =
            [height, width].map(|side| (side as f64 * self.scale_by).round_ties_even() as usize);
        let method = self.upscale_method.into();
        let planes = self.samples.planes()?;
        let planes = planes.resized(height, width, method, false)?;
        Ok(self.samples.with_planes(planes).into())
    }
}
