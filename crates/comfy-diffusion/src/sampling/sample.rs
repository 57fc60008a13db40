//! A whole run: noise is added, the sampler goes down the levels, and the result is scaled back.

use burn::tensor::Tensor;

use std::sync::Arc;

use super::beside::Sampled;
use super::condition::Fit;
use super::guidance::{Guidance, GuidedModel};
use super::host::{from_values, values};
use super::mask::{MaskedModel, fit_mask};
use super::networks::Networks;
use super::samplers::Method;
use super::{Denoise, Memory, Observe, Run};

use crate::device::Precision;
use crate::random::TorchGenerator;
use crate::{Error, Model, Result};

/// What is sampled, and how.
#[derive(Clone)]
pub struct SampleRequest<'a> {
    /// The model.
    pub model: &'a Model,
    /// What the picture is to show, and how the model is held to it.
    pub guidance: &'a dyn Guidance,
    /// The latent [batch, channels, height, width] to begin with, in the autoencoder's scale; zeros to begin from noise.
    pub latent: Tensor<4>,
    /// Normal noise of the latent's shape, or zeros if the latent has noise in it already.
    pub noise: Tensor<4>,
    /// The way down the noise levels.
    pub sampler: &'a dyn Method,
    /// The noise levels, descending.
    pub sigmas: Vec<f32>,
    /// 1 where the latent is sampled and 0 where it is kept, [masks, 1, height, width] of any size.
    pub noise_mask: Option<Tensor<4>>,
    /// The seed of the noise that the sampler itself adds.
    pub seed: u64,
    /// What hooks draw from, if they do: the generator that drew the initial noise, as it stands after that.
    pub generator: TorchGenerator,
}

/// Samples a latent and returns it in the autoencoder's scale. Without noise levels the latent is returned as it is; with
/// one it only gets that much noise.
///
/// # Errors
///
/// [`Error::Interrupted`] when `observe` breaks, [`Error::NotFinite`] when the result is not made of numbers, and whatever
/// loading or calling the network gives.
///
/// Where the device computes networks less exactly than it could and the result is not made of numbers, all of it is done once more,
/// exactly. The networks stay exact if that helps; numbers too large for 16 bits belong to some models.
pub fn sample(request: SampleRequest<'_>, observe: &mut Observe<'_>) -> Result<Tensor<4>> {
    let first = attempt(request.clone(), observe);
    let Err(Error::NotFinite { what, .. }) = &first else {
        return first;
    };
    let (model, guidance) = (request.model, request.guidance);
    let precision = model.device.for_networks().strategies().precision;
    if precision == Precision::Single || !set_exact(model, guidance, true)? {
        return first;
    }
    tracing::warn!(
        ?precision,
        "{what} gave values that are not finite numbers; it is tried again in f32"
    );
    let second = attempt(request, observe);
    if let Err(Error::NotFinite { .. }) = second {
        set_exact(model, guidance, false)?;
    }
    second
}

/// Says how exactly the network and those that steer it are to compute. False if that is how they do it already.
fn set_exact(model: &Model, guidance: &dyn Guidance, is_exact: bool) -> Result<bool> {
    let mut is_new = model.network.set_exact(is_exact);
    for (_, conditions) in guidance.lists() {
        for control in conditions
            .iter()
            .filter_map(|condition| condition.control.as_ref())
        {
            for network in control.networks(model)? {
                is_new |= network.set_exact(is_exact);
            }
        }
    }
    Ok(is_new)
}

fn attempt(request: SampleRequest<'_>, observe: &mut Observe<'_>) -> Result<Tensor<4>> {
    let Some(&first) = request.sigmas.first() else {
        return Ok(request.latent);
    };
    let network = request.model.network.get()?;
    check_shapes(&request, network.in_channels())?;
    let sampling = &request.model.sampling;
    let format = &request.model.latent_format;
    let device = request.model.device.tensor_device();
    let latent = request.latent.to_device(device);
    // An empty latent stays empty, whatever zero means to the autoencoder.
    let moves_zero = format.shift != 0.0 || format.statistics.is_some();
    let latent = if moves_zero && is_empty(&latent)? {
        latent
    } else {
        format.to_network(latent)
    };
    let noise = request.noise.to_device(device);
    let from_pure_noise = sampling.starts_from_pure_noise(first);
    let x = sampling.add_noise(latent.clone(), noise.clone(), first, from_pure_noise);

    let mask = request
        .noise_mask
        .as_ref()
        .map(|mask| fit_mask(mask, &x))
        .transpose()?;
    let fit = Fit {
        model: request.model,
        sampled: Sampled {
            latent: &latent,
            mask: mask.as_ref(),
        },
        seed: request.seed,
    };
    let memory = Arc::new(Memory::new(request.generator));
    let networks = Networks::new(request.model, network, &request.sigmas);
    let mut model = GuidedModel::new(networks, request.guidance, Arc::clone(&memory), fit)?;
    let mut masked;
    let denoiser: &mut dyn Denoise = match &mask {
        None => &mut model,
        Some(mask) => {
            let noise = if request.sampler.renews_mask_noise() {
                fresh_noise(request.seed.wrapping_add(1), &x)
            } else {
                noise
            };
            masked = MaskedModel {
                mask: mask.clone(),
                model: &mut model,
                latent: latent.clone(),
                noise,
                sigmas: &request.sigmas,
                hook: request.model.hooks.mask.as_deref(),
            };
            &mut masked
        }
    };
    let mut run = Run::new(denoiser, &request.sigmas, request.seed, observe).with_memory(memory);
    let result = format.from_network(request.sampler.run(&mut run, x)?);
    if values(result.clone())?
        .iter()
        .all(|value| value.is_finite())
    {
        Ok(result)
    } else {
        Err(Error::NotFinite {
            what: "sampling".to_owned(),
            dtype: format!("{:?}", result.dtype()),
        })
    }
}

fn fresh_noise(seed: u64, like: &Tensor<4>) -> Tensor<4> {
    let count = like.dims().iter().product();
    from_values(
        TorchGenerator::new(seed).randn(count),
        like.dims(),
        &like.device(),
    )
}

fn is_empty(latent: &Tensor<4>) -> Result<bool> {
    Ok(values(latent.clone())?.iter().all(|value| *value == 0.0))
}

fn check_shapes(request: &SampleRequest<'_>, inputs: usize) -> Result<()> {
    let (latent, noise) = (request.latent.dims(), request.noise.dims());
    if latent != noise {
        return Err(Error::input(format!(
            "the noise must have the latent's shape {latent:?}, but has {noise:?}"
        )));
    }
    if latent.contains(&0) {
        return Err(Error::input(format!(
            "the latent must not be empty, but its shape is {latent:?}"
        )));
    }
    let model = request.model;
    let beside = model.beside.channels(model.latent_format.channels);
    let expected = inputs.saturating_sub(beside);
    if latent[1] != expected {
        return Err(Error::input(format!(
            "the model takes latents of {expected} channels, but this one has {}",
            latent[1]
        )));
    }
    Ok(())
}
