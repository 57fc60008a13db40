//! What all nodes that sample have in common.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use comfy_diffusion::sampling::samplers::{Method, Sampler as NamedSampler};
use comfy_diffusion::sampling::{
    ClassifierFree, Guidance, KSamplerSteps, SampleRequest, Scheduler, find_sampler,
    find_scheduler, sample,
};
use comfy_graph::{NodeContext, NodeError, Outputs};

use super::steps::StepReports;
use crate::errors::from_diffusion;
use crate::preview::Previewer;
use crate::runtime::Runtime;
use crate::sockets::{
    Conditioning, Guider, Latent, Model, Noise, SamplerName, SchedulerName, host_device, on_device,
    values_of,
};

/// The result of a sampler.
#[derive(Debug, Outputs)]
pub struct SampledLatent {
    /// The latent after sampling.
    #[output(name = "LATENT")]
    pub(super) latent: Latent,
}

/// The inputs of a sampler node with everything on it.
pub(super) struct SamplerInputs {
    pub(super) model: Model,
    pub(super) positive: Conditioning,
    pub(super) negative: Conditioning,
    pub(super) latent: Latent,
    pub(super) sampler: SamplerName,
    pub(super) scheduler: SchedulerName,
    pub(super) steps: KSamplerSteps,
    pub(super) seed: u64,
    pub(super) guidance: f64,
    pub(super) adds_noise: bool,
}

/// Samples, reporting each step; an interrupt ends it between two steps.
pub(super) fn run(
    inputs: SamplerInputs,
    context: &mut NodeContext<'_>,
) -> Result<SampledLatent, NodeError> {
    let sampler = named_sampler(&inputs.sampler)?;
    let scheduler = named_scheduler(&inputs.scheduler)?;
    let sigmas = inputs
        .steps
        .sigmas(&inputs.model.get()?.sampling, scheduler, sampler)
        .map_err(from_diffusion)?;
    let run = CustomRun {
        noise: Noise::Random(inputs.seed),
        adds_noise: inputs.adds_noise,
        guider: classifier_free(
            inputs.model,
            inputs.positive,
            inputs.negative,
            inputs.guidance,
        ),
        sampler,
        sigmas: &sigmas,
        latent: inputs.latent,
    };
    Ok(SampledLatent {
        latent: run.sample(context)?.latent,
    })
}

/// The sampler of this name.
pub(super) fn named_sampler(name: &SamplerName) -> Result<&'static NamedSampler, NodeError> {
    find_sampler(&name.0)
        .ok_or_else(|| NodeError::value(format_args!("there is no sampler called '{}'", name.0)))
}

/// The scheduler of this name.
pub(super) fn named_scheduler(name: &SchedulerName) -> Result<&'static Scheduler, NodeError> {
    find_scheduler(&name.0)
        .ok_or_else(|| NodeError::value(format_args!("there is no scheduler called '{}'", name.0)))
}

/// A model held to two prompts in the usual way.
pub(super) fn classifier_free(
    model: Model,
    positive: Conditioning,
    negative: Conditioning,
    scale: f64,
) -> Guider {
    Guider {
        model,
        guidance: Arc::new(ClassifierFree {
            positive: positive.0,
            negative: negative.0,
            scale,
        }),
    }
}

/// Everything that sampling takes.
pub(super) struct CustomRun<'a> {
    pub(super) noise: Noise,
    /// Whether the noise is added; its seed counts in any case.
    pub(super) adds_noise: bool,
    pub(super) guider: Guider,
    pub(super) sampler: &'a dyn Method,
    pub(super) sigmas: &'a [f32],
    pub(super) latent: Latent,
}

/// What sampling gives.
pub(super) struct Sampled {
    pub(super) latent: Latent,
    /// The clean latent that the model saw in the last step; the latent itself if there was none.
    pub(super) denoised: Latent,
}

impl CustomRun<'_> {
    pub(super) fn sample(self, context: &mut NodeContext<'_>) -> Result<Sampled, NodeError> {
        let model = self.guider.model.get()?;
        let format = &model.latent_format;
        let latent = with_channels(self.latent, format.channels)?;
        let noise = if self.adds_noise {
            self.noise
        } else {
            Noise::Empty
        };
        let (values, generator) = noise.draw(&latent)?;

        let device = &model.device;
        let runtime = context.service::<Runtime>()?;
        let asked = context.extra_data("preview_method");
        let previewer = Previewer::new(&runtime, format, asked);
        let guidance: &dyn Guidance = &*self.guider.guidance;
        let request = SampleRequest {
            model,
            guidance,
            latent: on_device(latent.samples.clone(), device)?,
            noise: Tensor::from_data(
                TensorData::new(values, latent.shape()),
                device.tensor_device(),
            ),
            sampler: self.sampler,
            sigmas: self.sigmas.to_vec(),
            noise_mask: latent
                .noise_mask
                .clone()
                .map(|mask| on_device(mask, device))
                .transpose()?,
            seed: self.noise.seed(),
            generator,
        };
        let mut stopped = None;
        let mut last = None;
        let result = std::thread::scope(|scope| {
            let mut reports = StepReports::new(scope, previewer, context);
            sample(request, &mut |step| {
                last = Some(step.x0.clone());
                match reports.tell(&step) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        stopped = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })
        });
        match (result, stopped) {
            (_, Some(error)) => Err(error),
            (Ok(samples), None) => {
                let denoised = last.map_or_else(|| samples.clone(), |x0| format.from_network(x0));
                Ok(Sampled {
                    latent: latent.clone().with_samples(samples)?,
                    denoised: latent.with_samples(denoised)?,
                })
            }
            (Err(error), None) => Err(from_diffusion(error)),
        }
    }
}

/// An empty latent fits every model: it gets as many channels as the model has. Any other latent stays as it is.
fn with_channels(latent: Latent, channels: usize) -> Result<Latent, NodeError> {
    let [batch, found, height, width] = latent.shape();
    if found == channels
        || values_of(latent.samples.clone())?
            .iter()
            .any(|value| *value != 0.0)
    {
        return Ok(latent);
    }
    let samples = Tensor::zeros([batch, channels, height, width], &host_device());
    latent.with_samples(samples)
}
