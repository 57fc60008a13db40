//! Nodes that change what the noise levels and the predictions of a model mean.

use comfy_diffusion::sampling::{LatentFormat, ModelSampling, NoiseTable, Prediction};
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::ChangedModel;
use crate::sockets::Model;

/// How many levels a latent consistency model was trained at.
const CONSISTENCY_LEVELS: usize = 50;
/// The deviation of clean latents in models after Karras et al.
const EDM_DATA: f64 = 0.5;

/// What a model with discrete levels predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum DiscreteSampling {
    /// The noise.
    #[choice("eps")]
    Epsilon,
    /// The velocity.
    #[choice("v_prediction")]
    Velocity,
    /// The noise, distilled to a consistency model.
    #[choice("lcm")]
    Consistency,
    /// The clean latent.
    #[choice("x0")]
    Clean,
    /// The clean latent, from a latent that is not scaled.
    #[choice("img_to_img")]
    ImageToImage,
}

/// What a model with continuous levels predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum ContinuousSampling {
    /// The velocity.
    #[choice("v_prediction")]
    Velocity,
    /// The preconditioned answer of Karras et al.
    #[choice("edm")]
    Edm,
    /// The same, with the latents of Playground 2.5.
    #[choice("edm_playground_v2.5")]
    Playground,
    /// The noise.
    #[choice("eps")]
    Epsilon,
    /// The flow of Cosmos.
    #[choice("cosmos_rflow")]
    CosmosFlow,
}

/// What a model with levels counted as angles predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum AngleSampling {
    /// The velocity.
    #[choice("v_prediction")]
    Velocity,
}

/// Says what a model with discrete noise levels predicts, for files that do not say it themselves.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelSamplingDiscrete",
    name = "ModelSamplingDiscrete",
    category = "advanced/model",
    module = "comfy_extras.nodes_model_advanced"
)]
pub struct ModelSamplingDiscrete {
    /// The model.
    model: Model,
    /// What the model predicts.
    sampling: DiscreteSampling,
    /// Whether the levels are stretched until nothing is left of the picture, as in models that were trained so.
    #[input(default = false)]
    zsnr: bool,
}

impl Node for ModelSamplingDiscrete {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let prediction = match self.sampling {
            DiscreteSampling::Epsilon => Prediction::Epsilon,
            DiscreteSampling::Velocity => Prediction::Velocity,
            DiscreteSampling::Consistency => Prediction::Consistency,
            DiscreteSampling::Clean => Prediction::Clean,
            DiscreteSampling::ImageToImage => Prediction::CleanOfUnscaled,
        };
        let mut sampling = ModelSampling::stable_diffusion(prediction);
        if self.zsnr {
            sampling.table = sampling.table.with_zero_terminal_snr();
        }
        if prediction == Prediction::Consistency {
            sampling.table = sampling.table.distilled(CONSISTENCY_LEVELS);
        }
        with_sampling(&self.model, sampling, None)
    }
}

/// Says what a model with continuous noise levels predicts, counted by their logarithms.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelSamplingContinuousEDM",
    name = "ModelSamplingContinuousEDM",
    category = "advanced/model",
    module = "comfy_extras.nodes_model_advanced"
)]
pub struct ModelSamplingContinuousEdm {
    /// The model.
    model: Model,
    /// What the model predicts.
    sampling: ContinuousSampling,
    /// The highest noise level.
    #[input(default = 120.0, min = 0.0, max = 1000.0, step = 0.001, round = false)]
    sigma_max: f64,
    /// The lowest noise level.
    #[input(default = 0.002, min = 0.0, max = 1000.0, step = 0.001, round = false)]
    sigma_min: f64,
}

impl Node for ModelSamplingContinuousEdm {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let [low, high] = positive(self.sigma_min, self.sigma_max)?;
        let table = match self.sampling {
            ContinuousSampling::CosmosFlow => NoiseTable::continuous_share(low, high),
            _ => NoiseTable::continuous_edm(low, high),
        };
        let (prediction, sigma_data) = match self.sampling {
            ContinuousSampling::Velocity => (Prediction::Velocity, 1.0),
            ContinuousSampling::Edm | ContinuousSampling::Playground => (Prediction::Edm, EDM_DATA),
            ContinuousSampling::Epsilon => (Prediction::Epsilon, 1.0),
            ContinuousSampling::CosmosFlow => (Prediction::CosmosFlow, 1.0),
        };
        let sampling = ModelSampling {
            prediction,
            sigma_data,
            table,
        };
        let is_playground = self.sampling == ContinuousSampling::Playground;
        with_sampling(
            &self.model,
            sampling,
            is_playground.then_some(LatentFormat::PLAYGROUND),
        )
    }
}

/// Says what a model with continuous noise levels predicts, counted as angles.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelSamplingContinuousV",
    name = "ModelSamplingContinuousV",
    category = "advanced/model",
    module = "comfy_extras.nodes_model_advanced"
)]
pub struct ModelSamplingContinuousV {
    /// The model.
    model: Model,
    /// What the model predicts.
    sampling: AngleSampling,
    /// The highest noise level.
    #[input(default = 500.0, min = 0.0, max = 1000.0, step = 0.001, round = false)]
    sigma_max: f64,
    /// The lowest noise level.
    #[input(default = 0.03, min = 0.0, max = 1000.0, step = 0.001, round = false)]
    sigma_min: f64,
}

impl Node for ModelSamplingContinuousV {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let AngleSampling::Velocity = self.sampling;
        let [low, high] = positive(self.sigma_min, self.sigma_max)?;
        let sampling = ModelSampling {
            table: NoiseTable::continuous_arctangent(low, high),
            ..ModelSampling::stable_diffusion(Prediction::Velocity)
        };
        with_sampling(&self.model, sampling, None)
    }
}

/// The model with another meaning of its levels, and other latents.
fn with_sampling(
    model: &Model,
    sampling: ModelSampling,
    latent_format: Option<LatentFormat>,
) -> Result<ChangedModel, NodeError> {
    let changed = model.map(|model| comfy_diffusion::Model {
        sampling,
        latent_format: latent_format.unwrap_or(model.latent_format),
        ..model
    })?;
    Ok(changed.into())
}

/// Two levels that have a logarithm.
fn positive(sigma_min: f64, sigma_max: f64) -> Result<[f64; 2], NodeError> {
    if sigma_min > 0.0 && sigma_max > 0.0 {
        return Ok([sigma_min, sigma_max]);
    }
    Err(NodeError::value(format_args!(
        "expected noise levels above 0, got {sigma_min} and {sigma_max}"
    )))
}
