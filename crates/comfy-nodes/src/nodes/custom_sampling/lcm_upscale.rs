//! `SamplerLCMUpscale`.

use burn::tensor::Tensor;
use comfy_diffusion::Error;
use comfy_diffusion::sampling::Run;
use comfy_diffusion::sampling::samplers::Method;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::OneSampler;
use crate::nodes::latent::BislerpFirst;
use crate::planes::{PlaneMethod, Planes};

/// Sampling of latent consistency models in which the latent grows from step to step.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerLCMUpscale",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_advanced_samplers",
    v3
)]
pub struct SamplerLcmUpscale {
    /// How many times as large the latent is at the end.
    #[input(default = 1.0, min = 0.1, max = 20.0, step = 0.01)]
    scale_ratio: f64,
    /// In how many steps it grows; -1 is half of the steps.
    #[input(default = -1, min = -1, max = 1000, step = 1)]
    scale_steps: i32,
    /// How new cells are computed.
    upscale_method: BislerpFirst,
}

impl Node for SamplerLcmUpscale {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(GrowingLcm {
            scale: self.scale_ratio,
            steps: usize::try_from(self.scale_steps).ok(),
            method: self.upscale_method.into(),
        }
        .into())
    }
}

/// As LCM, but what the model sees is scaled before it is noised again.
#[derive(Debug, Clone, Copy)]
struct GrowingLcm {
    scale: f64,
    steps: Option<usize>,
    method: PlaneMethod,
}

impl Method for GrowingLcm {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> comfy_diffusion::Result<Tensor<4>> {
        let levels = run.sigmas();
        let points = match self.steps {
            None => (levels.len() / 2 + 1).max(2),
            Some(steps) => (steps + 1).min(levels.len() + 1),
        };
        let [_, _, height, width] = x.dims();
        for (index, pair) in levels.windows(2).enumerate() {
            let x0 = run.denoise(&x, pair[0])?;
            run.report(index, &x0, &x)?;
            x = x0;
            if index + 1 < points {
                let scale = 1.0 + (self.scale - 1.0) * (index + 1) as f64 / (points - 1) as f64;
                let scaled = |size: usize| (size as f64 * scale).round_ties_even() as usize;
                x = resized(&x, scaled(height), scaled(width), self.method)?;
            }
            if pair[1] > 0.0 {
                x = x.clone() + run.further_noise_like(&x).mul_scalar(f64::from(pair[1]));
            }
        }
        Ok(x)
    }
}

/// A tensor on any device in another size.
pub(in crate::nodes) fn resized(
    x: &Tensor<4>,
    height: usize,
    width: usize,
    method: PlaneMethod,
) -> comfy_diffusion::Result<Tensor<4>> {
    let failed = |error: NodeError| Error::input(error.to_string());
    let planes = Planes::read(x).map_err(failed)?;
    let planes = planes
        .resized(height, width, method, false)
        .map_err(failed)?;
    Ok(planes.into_tensor().to_device(&x.device()))
}
