//! `LatentBlend`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedLatent;
use crate::planes::PlaneMethod;
use crate::resize::Method;
use crate::sockets::Latent;

/// Mixes two latents value by value.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentBlend",
    name = "Latent Blend",
    category = "_for_testing",
    module = "nodes"
)]
pub struct LatentBlend {
    /// The first latent. Its noise mask is kept.
    samples1: Latent,
    /// The second latent. In another size, it is cut to the aspect ratio of the first and scaled.
    samples2: Latent,
    /// The share of the first latent: 1 is the first alone, 0 the second alone.
    #[input(default = 0.5, min = 0.0, max = 1.0, step = 0.01)]
    blend_factor: f64,
}

impl Node for LatentBlend {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let first = self.samples1.planes()?;
        let [_, _, height, width] = first.shape();
        let mut second = self.samples2.planes()?;
        if second.shape() != first.shape() {
            second = second.resized(height, width, PlaneMethod::Each(Method::Bicubic), true)?;
        }
        let (share, rest) = (self.blend_factor as f32, (1.0 - self.blend_factor) as f32);
        let mixed = first.zip(&second, |a, b| a * share + b * rest)?;
        Ok(self.samples1.with_planes(mixed).into())
    }
}
