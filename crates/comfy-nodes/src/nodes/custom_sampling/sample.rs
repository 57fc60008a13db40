//! `SamplerCustom` and `SamplerCustomAdvanced`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::TwoLatents;
use crate::nodes::sampling::{CustomRun, Sampled, classifier_free};
use crate::sockets::{Conditioning, Guider, Latent, Model, Noise, Sampler, Sigmas};

impl From<Sampled> for TwoLatents {
    fn from(sampled: Sampled) -> Self {
        Self {
            output: sampled.latent,
            denoised_output: sampled.denoised,
        }
    }
}

/// Samples a latent with a method and noise levels of your own.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerCustom",
    name = "SamplerCustom",
    category = "sampling/custom_sampling",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerCustom {
    /// The diffusion model that removes the noise.
    model: Model,
    /// Whether noise is added at the start.
    #[input(default = true)]
    add_noise: bool,
    /// The seed of the noise.
    #[input(default = 0u64, min = 0u64, max = u64::MAX, control_after_generate)]
    noise_seed: u64,
    /// How strictly the prompts are followed.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg: f64,
    /// What the picture is to show.
    positive: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// The method that goes from level to level.
    sampler: Sampler,
    /// The noise levels.
    sigmas: Sigmas,
    /// The latent to begin with.
    latent_image: Latent,
}

impl Node for SamplerCustom {
    type Output = TwoLatents;

    fn run(self, context: &mut NodeContext<'_>) -> Result<TwoLatents, NodeError> {
        let run = CustomRun {
            noise: Noise::Random(self.noise_seed),
            adds_noise: self.add_noise,
            guider: classifier_free(self.model, self.positive, self.negative, self.cfg),
            sampler: &*self.sampler.0,
            sigmas: &self.sigmas.0,
            latent: self.latent_image,
        };
        run.sample(context).map(TwoLatents::from)
    }
}

/// Samples a latent with everything chosen by other nodes.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerCustomAdvanced",
    name = "SamplerCustomAdvanced",
    category = "sampling/custom_sampling",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerCustomAdvanced {
    /// The noise that is added at the start.
    noise: Noise,
    /// The model with its prompts.
    guider: Guider,
    /// The method that goes from level to level.
    sampler: Sampler,
    /// The noise levels.
    sigmas: Sigmas,
    /// The latent to begin with.
    latent_image: Latent,
}

impl Node for SamplerCustomAdvanced {
    type Output = TwoLatents;

    fn run(self, context: &mut NodeContext<'_>) -> Result<TwoLatents, NodeError> {
        let run = CustomRun {
            noise: self.noise,
            adds_noise: true,
            guider: self.guider,
            sampler: &*self.sampler.0,
            sigmas: &self.sigmas.0,
            latent: self.latent_image,
        };
        run.sample(context).map(TwoLatents::from)
    }
}
