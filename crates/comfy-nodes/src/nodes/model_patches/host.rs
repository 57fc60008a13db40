//! `PatchModelAddDownscale` and `LatentApplyOperationCFG`, whose work is done in the host's memory.

use std::sync::Arc;

use burn::tensor::Tensor;
use comfy_diffusion::Error;
use comfy_diffusion::models::hooks::{NetworkHook, Part, Site};
use comfy_diffusion::sampling::hooks::BeforeGuidance;
use comfy_diffusion::sampling::{Moment, Predictions};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedModel;
use crate::nodes::custom_sampling::resized;
use crate::nodes::latent::BicubicFirst;
use crate::planes::{PlaneMethod, Planes};
use crate::sockets::{LatentOperation, Model};

/// Lets the network work on a smaller picture in the first steps, so that large pictures do not show things twice.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PatchModelAddDownscale",
    name = "PatchModelAddDownscale (Kohya Deep Shrink)",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_model_downscale",
    v3
)]
pub struct PatchModelAddDownscale {
    /// The model.
    model: Model,
    /// The stage of the network behind which the picture is made smaller.
    #[input(default = 3u32, min = 1u32, max = 32u32, step = 1u32)]
    block_number: u32,
    /// How many times smaller it becomes.
    #[input(default = 2.0, min = 0.1, max = 9.0, step = 0.001)]
    downscale_factor: f64,
    /// The part of the way after which this begins.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// The part of the way after which this ends.
    #[input(default = 0.35, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
    /// Whether what the stage hands over to the way up stays large.
    #[input(default = true)]
    downscale_after_skip: bool,
    /// How it is made smaller.
    downscale_method: BicubicFirst,
    /// How it is made large again.
    upscale_method: BicubicFirst,
}

impl Node for PatchModelAddDownscale {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let table = &self.model.get()?.sampling.table;
        let hook = Downscale {
            stage: self.block_number as usize,
            factor: 1.0 / self.downscale_factor,
            first_sigma: table.percent_to_sigma(self.start_percent),
            last_sigma: table.percent_to_sigma(self.end_percent),
            after_skip: self.downscale_after_skip,
            down: self.downscale_method.into(),
            up: self.upscale_method.into(),
        };
        let changed = self.model.with_hooks(|mut hooks| {
            hooks.network = hooks.network.with(Arc::new(hook));
            hooks
        })?;
        Ok(changed.into())
    }
}

/// Makes x smaller behind a stage of the way down, and larger where that is needed on the way up.
#[derive(Debug, Clone, Copy)]
struct Downscale {
    stage: usize,
    factor: f64,
    first_sigma: f64,
    last_sigma: f64,
    after_skip: bool,
    down: PlaneMethod,
    up: PlaneMethod,
}

impl Downscale {
    fn shrunk(&self, site: &Site<'_>, x: Tensor<4>) -> comfy_diffusion::Result<Tensor<4>> {
        let sigma = f64::from(site.call.sigma);
        let is_there = site.place.part == Part::Input && site.place.stage == self.stage;
        if !is_there || sigma > self.first_sigma || sigma < self.last_sigma {
            return Ok(x);
        }
        let [_, _, height, width] = x.dims();
        let scaled = |size: usize| (size as f64 * self.factor).round_ties_even() as usize;
        resized(&x, scaled(height), scaled(width), self.down)
    }
}

impl NetworkHook for Downscale {
    fn after_stage(&self, site: &Site<'_>, x: Tensor<4>) -> comfy_diffusion::Result<Tensor<4>> {
        if self.after_skip {
            Ok(x)
        } else {
            self.shrunk(site, x)
        }
    }

    fn after_skip(&self, site: &Site<'_>, x: Tensor<4>) -> comfy_diffusion::Result<Tensor<4>> {
        if self.after_skip {
            self.shrunk(site, x)
        } else {
            Ok(x)
        }
    }

    fn before_join(
        &self,
        _: &Site<'_>,
        x: Tensor<4>,
        skip: Tensor<4>,
    ) -> comfy_diffusion::Result<(Tensor<4>, Tensor<4>)> {
        let ([_, _, height, _], [_, _, skip_height, skip_width]) = (x.dims(), skip.dims());
        if height == skip_height {
            return Ok((x, skip));
        }
        Ok((resized(&x, skip_height, skip_width, self.up)?, skip))
    }
}

/// Applies an operation to the way from the negative to the positive prediction, in each step.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentApplyOperationCFG",
    category = "latent/advanced/operations",
    module = "comfy_extras.nodes_latent",
    v3,
    experimental
)]
pub struct LatentApplyOperationCfg {
    /// The model.
    model: Model,
    /// The operation.
    operation: LatentOperation,
}

impl Node for LatentApplyOperationCfg {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let hook = OperationOnGuidance(self.operation);
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_before(Arc::new(hook)))?
            .into())
    }
}

/// An operation on the difference of the predictions.
#[derive(Debug, Clone)]
struct OperationOnGuidance(LatentOperation);

impl BeforeGuidance for OperationOnGuidance {
    fn adjust(
        &self,
        _: &Moment<'_>,
        predictions: Predictions,
    ) -> comfy_diffusion::Result<Predictions> {
        let failed = |error: NodeError| Error::input(error.to_string());
        let difference = predictions.positive.clone() - predictions.negative.clone();
        let changed = self
            .0
            .apply(&Planes::read(&difference).map_err(failed)?)
            .map_err(failed)?;
        let changed = changed.into_tensor().to_device(&difference.device());
        Ok(Predictions {
            positive: changed + predictions.negative.clone(),
            ..predictions
        })
    }
}
