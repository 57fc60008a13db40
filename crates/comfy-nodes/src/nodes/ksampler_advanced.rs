//! `KSamplerAdvanced`.

use comfy_diffusion::sampling::KSamplerSteps;
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::sampling::{self, SampledLatent, SamplerInputs};
use crate::sockets::{Conditioning, Latent, Model, SamplerName, SchedulerName};

/// A switch that is on unless it is turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Switch {
    /// On.
    #[choice("enable")]
    Enable,
    /// Off.
    #[choice("disable")]
    Disable,
}

/// A switch that is off unless it is turned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum SwitchOff {
    /// Off.
    #[choice("disable")]
    Disable,
    /// On.
    #[choice("enable")]
    Enable,
}

/// Samples like the plain sampler, but only some of the steps, so that several samplers share the way from noise to picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "KSamplerAdvanced",
    name = "KSampler (Advanced)",
    category = "sampling",
    module = "nodes"
)]
pub struct KSamplerAdvanced {
    /// The diffusion model that removes the noise.
    model: Model,
    /// Whether noise is added at the start. Turn it off for a latent in which an earlier sampler has left some.
    add_noise: Switch,
    /// The seed of the noise.
    #[input(default = 0u64, min = 0u64, max = u64::MAX, control_after_generate)]
    noise_seed: u64,
    /// How many steps the whole way has.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// How strictly the prompts are followed.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg: f64,
    /// The method that goes from step to step.
    sampler_name: SamplerName,
    /// How the noise is spread over the steps.
    scheduler: SchedulerName,
    /// What the picture is to show.
    positive: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// The latent to begin with.
    latent_image: Latent,
    /// The first step to take, from 0.
    #[input(default = 0u32, min = 0u32, max = 10000u32)]
    start_at_step: u32,
    /// The step before which to stop.
    #[input(default = 10000u32, min = 0u32, max = 10000u32)]
    end_at_step: u32,
    /// Whether the noise that is left at the end stays in the latent, for the next sampler. Otherwise the last step removes it.
    return_with_leftover_noise: SwitchOff,
}

impl Node for KSamplerAdvanced {
    type Output = SampledLatent;

    fn run(self, context: &mut NodeContext<'_>) -> Result<SampledLatent, NodeError> {
        let steps = KSamplerSteps {
            start: Some(self.start_at_step as usize),
            end: Some(self.end_at_step as usize),
            force_full_denoise: self.return_with_leftover_noise == SwitchOff::Disable,
            ..KSamplerSteps::new(self.steps as usize)
        };
        let inputs = SamplerInputs {
            model: self.model,
            positive: self.positive,
            negative: self.negative,
            latent: self.latent_image,
            sampler: self.sampler_name,
            scheduler: self.scheduler,
            steps,
            seed: self.noise_seed,
            guidance: self.cfg,
            adds_noise: self.add_noise == Switch::Enable,
        };
        sampling::run(inputs, context)
    }
}
