//! `KSampler`.

use comfy_diffusion::sampling::KSamplerSteps;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::sampling::{self, SampledLatent, SamplerInputs};
use crate::sockets::{Conditioning, Latent, Model, SamplerName, SchedulerName};

/// Makes a latent from noise, step by step, guided by what the positive prompt asks for and the negative one forbids.
#[derive(Debug, NodeSpec)]
#[node(id = "KSampler", category = "sampling", module = "nodes")]
pub struct KSampler {
    /// The diffusion model that removes the noise.
    model: Model,
    /// The seed of the noise. The same seed gives the same picture.
    #[input(default = 0u64, min = 0u64, max = u64::MAX, control_after_generate)]
    seed: u64,
    /// How many steps are taken from noise to picture. More steps are finer and slower.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// How strictly the prompts are followed. High values look harsh; 1 ignores the negative prompt and takes half the time.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg: f64,
    /// The method that goes from step to step. Some add noise of their own on the way.
    sampler_name: SamplerName,
    /// How the noise is spread over the steps.
    scheduler: SchedulerName,
    /// What the picture is to show.
    positive: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// The latent to begin with: an empty one, or a picture to change.
    latent_image: Latent,
    /// How much is changed: 1 begins with pure noise, less keeps more of the latent.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

impl Node for KSampler {
    type Output = SampledLatent;

    fn run(self, context: &mut NodeContext<'_>) -> Result<SampledLatent, NodeError> {
        let inputs = SamplerInputs {
            model: self.model,
            positive: self.positive,
            negative: self.negative,
            latent: self.latent_image,
            sampler: self.sampler_name,
            scheduler: self.scheduler,
            steps: KSamplerSteps {
                denoise: self.denoise,
                ..KSamplerSteps::new(self.steps as usize)
            },
            seed: self.seed,
            guidance: self.cfg,
            adds_noise: true,
        };
        sampling::run(inputs, context)
    }
}
