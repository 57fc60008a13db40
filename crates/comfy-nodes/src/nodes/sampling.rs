//! What `KSampler` and `KSamplerAdvanced` have in common.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, TensorData};
use comfy_diffusion::sampling::{
    KSamplerSteps, SampleRequest, find_sampler, find_scheduler, prepare_noise, sample,
};
use comfy_graph::{NodeContext, NodeError, Outputs};

use crate::errors::from_diffusion;
use crate::preview::Previewer;
use crate::runtime::Runtime;
use crate::sockets::{
    Conditioning, Latent, Model, SamplerName, SchedulerName, host_device, on_device, values_of,
};

/// The result of a sampler.
#[derive(Debug, Outputs)]
pub struct SampledLatent {
    /// The latent after sampling.
    #[output(name = "LATENT")]
    pub(super) latent: Latent,
}

/// The inputs of a sampler node.
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
    let SamplerInputs {
        model,
        positive,
        negative,
        latent,
        sampler,
        scheduler,
        steps,
        seed,
        guidance,
        adds_noise,
    } = inputs;
    let model = model.get()?;
    let sampler = find_sampler(&sampler.0).ok_or_else(|| {
        NodeError::value(format_args!("there is no sampler called '{}'", sampler.0))
    })?;
    let scheduler = find_scheduler(&scheduler.0).ok_or_else(|| {
        NodeError::value(format_args!(
            "there is no scheduler called '{}'",
            scheduler.0
        ))
    })?;
    let sigmas = steps
        .sigmas(&model.sampling, scheduler, sampler)
        .map_err(from_diffusion)?;
    let latent = with_channels(latent, model.latent_format.channels)?;
    let noise = if adds_noise {
        prepare_noise(latent.shape(), seed, latent.batch_index.as_deref())
            .map_err(from_diffusion)?
    } else {
        vec![0.0; latent.shape().iter().product()]
    };

    let device = &model.device;
    let previewer = Previewer::new(
        context.service::<Runtime>()?.options(),
        context.extra_data("preview_method"),
    );
    let request = SampleRequest {
        model,
        positive: &positive.0,
        negative: &negative.0,
        latent: on_device(latent.samples.clone(), device)?,
        noise: Tensor::from_data(
            TensorData::new(noise, latent.shape()),
            device.tensor_device(),
        ),
        cfg: guidance,
        sampler,
        sigmas,
        noise_mask: latent
            .noise_mask
            .clone()
            .map(|mask| on_device(mask, device))
            .transpose()?,
        seed,
    };
    let mut stopped = None;
    let result = sample(request, &mut |step| {
        let preview =
            previewer.and_then(|previewer| previewer.render(&model.latent_format, step.x0));
        match context.progress_with_preview(step.index as u64 + 1, step.count as u64, preview) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                stopped = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    match (result, stopped) {
        (_, Some(error)) => Err(error),
        (Ok(samples), None) => Ok(SampledLatent {
            latent: latent.with_samples(samples)?,
        }),
        (Err(error), None) => Err(from_diffusion(error)),
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
