//! Checkpoints: files that hold a diffusion network, its text encoder and its autoencoder together.
//!
//! Opening one reads the header, finds the [family](families::Family) by names and shapes, and gives handles. Weights are read when a
//! handle is first used, and again after [`Residency::unload_all`](crate::residency::Residency::unload_all).

mod bicubic;
mod clip_vision;
mod control;
mod extraction;
mod families;
mod layout;
mod photo_maker;
mod saving;
mod style;
mod text;
mod tiled;
mod unet;
mod upscaler;
mod vae;

use std::path::Path;
use std::sync::Arc;

pub use clip_vision::ClipVision;
pub use control::{open_control_net, open_gligen, open_hypernetwork};
pub use extraction::Extraction;
pub use photo_maker::PhotoMaker;
pub use saving::{
    Recognised, tensors_of_autoencoder, tensors_of_checkpoint, tensors_of_text_encoder,
};
pub use style::StyleModel;
pub use text::open_text_encoder;
pub use upscaler::UpscaleModel;
pub use vae::Vae;

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::residency::Resident;
use crate::sampling::Hooks;
use crate::text::Clip;
use crate::weights::patch::NameMap;
use crate::weights::{Rounding, TensorSource, Weights};
use families::{Family, Marks};
use layout::in_original_layout;

/// What a checkpoint holds.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The diffusion network with what is needed to sample it.
    pub model: Option<Model>,
    /// The text encoder.
    pub clip: Option<Clip>,
    /// The autoencoder.
    pub vae: Option<Vae>,
}

/// Where the diffusion network may lie.
const DIFFUSION_PREFIXES: [&str; 3] = ["model.diffusion_model.", "model.model.", "net."];

/// Where it lies if it lies in none of these: fewer tensors than this are no network.
const DIFFUSION_FALLBACK: &str = "model.";
const FEWEST_TENSORS: usize = 6;

/// Where the autoencoder may lie.
const AUTOENCODER_PREFIXES: [&str; 2] = ["first_stage_model", "vae"];

/// Opens a checkpoint. Nothing but its header is read now; what it lacks is `None`.
///
/// # Errors
///
/// If the file cannot be read, or its diffusion network is of no known family.
pub fn open_checkpoint(path: &Path, device: &ComputeDevice) -> Result<Checkpoint> {
    let weights = Arc::new(in_original_layout(Weights::open(path)?));
    let prefix = diffusion_prefix(&weights);
    let found = Family::of(&weights.root().enter(prefix));
    let (prefix, (family, facts)) = match found {
        Ok(found) => (prefix, found),
        // Nothing but a diffusion network, perhaps.
        Err(error) => ("", Family::of(&weights.root()).map_err(|_| error)?),
    };
    let vae = AUTOENCODER_PREFIXES
        .iter()
        .find_map(|prefix| Vae::at(&weights, prefix, device));
    tracing::info!(file = %path.display(), family = family.name, "checkpoint opened");
    let marks = Marks {
        network: weights.root().enter(prefix),
        root: weights.root(),
        facts,
    };
    Ok(Checkpoint {
        model: Some(model(&weights, &marks, family, Rounding::None, device)?),
        clip: family.text_encoder(&weights, device),
        vae,
    })
}

/// Opens the diffusion network of a file, alone or in a checkpoint, in the original layout or that of diffusers. Its weights are
/// rounded as they would be if they were stored so.
///
/// # Errors
///
/// If the file cannot be read, or its diffusion network is of no known family.
pub fn open_diffusion_model(
    path: &Path,
    rounding: Rounding,
    device: &ComputeDevice,
) -> Result<Model> {
    let weights = Arc::new(in_original_layout(Weights::open(path)?));
    let prefix = diffusion_prefix(&weights);
    let is_there = weights.root().has_scope(prefix);
    let network = weights.root().enter(if is_there { prefix } else { "" });
    let (family, facts) = Family::of(&network)?;
    // What marks the kind of training stands beside the network's own tensors here.
    let marks = Marks {
        root: network.clone(),
        network,
        facts,
    };
    model(&weights, &marks, family, rounding, device)
}

/// Opens a folder as diffusers saves pipelines, with a folder for each part.
///
/// # Errors
///
/// If a file cannot be read, or there is no diffusion network of a known family.
pub fn open_diffusers_folder(folder: &Path, device: &ComputeDevice) -> Result<Checkpoint> {
    const NETWORKS: [&str; 4] = [
        "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model.safetensors",
        "diffusion_pytorch_model.fp16.bin",
        "diffusion_pytorch_model.bin",
    ];
    const TEXT_ENCODERS: [&str; 4] = [
        "model.fp16.safetensors",
        "model.safetensors",
        "pytorch_model.fp16.bin",
        "pytorch_model.bin",
    ];
    let first = |part: &str, names: &[&str]| {
        let paths = names.iter().map(|name| folder.join(part).join(name));
        paths.into_iter().find(|path| path.is_file())
    };
    let network = first("unet", &NETWORKS).ok_or_else(|| Error::UnknownModel {
        path: folder.to_owned(),
        reason: format!("a folder of diffusers has one of {NETWORKS:?} in its folder `unet`"),
    })?;
    let texts: Vec<_> = ["text_encoder", "text_encoder_2"]
        .iter()
        .filter_map(|part| first(part, &TEXT_ENCODERS))
        .collect();
    let clip = (!texts.is_empty()).then(|| open_text_encoder(&texts, "stable_diffusion", device));
    let vae = first("vae", &NETWORKS).map(|path| Vae::open(&path, device));
    Ok(Checkpoint {
        model: Some(open_diffusion_model(&network, Rounding::None, device)?),
        clip: clip.transpose()?,
        vae: vae.transpose()?,
    })
}

fn diffusion_prefix(weights: &Weights) -> &'static str {
    let count = |prefix: &str| weights.names(prefix).count();
    let best = DIFFUSION_PREFIXES
        .into_iter()
        .rev()
        .max_by_key(|prefix| count(prefix));
    best.filter(|prefix| count(prefix) >= FEWEST_TENSORS)
        .unwrap_or(DIFFUSION_FALLBACK)
}

fn model(
    weights: &Arc<Weights>,
    marks: &Marks,
    family: &'static Family,
    rounding: Rounding,
    device: &ComputeDevice,
) -> Result<Model> {
    let target = device.clone();
    let name = format!("{} network of {}", family.name, weights.path().display());
    let source = TensorSource::new(weights, marks.network.prefix(), rounding);
    let names = |source: &TensorSource| {
        let network = source.scope();
        let layout = layout::DiffusersNames::of(&network);
        NameMap::of_network(&network, |name| layout.of_tensor(name))
    };
    let load = move |source: &TensorSource| {
        let scope = source.scope();
        let network = Family::network(&scope, &target.for_network_in(scope.room()))?;
        report_unused(source.weights(), scope.prefix());
        Ok(network)
    };
    let sampling = (family.sampling)(marks)?;
    Ok(Model {
        recognised: Some(Recognised::new(family, marks, sampling.prediction)),
        network: Resident::of_weights(device.for_networks().residency(), name, source, names, load),
        sampling,
        latent_format: (family.latent_format)(marks),
        label: (family.label)(marks),
        beside: (family.beside)(marks),
        hooks: Hooks::default(),
        device: device.clone(),
    })
}

/// Logs the tensors below `prefix` that a freshly built network did not ask for: they hint at a model that is not what it was taken
/// for.
fn report_unused(weights: &Weights, prefix: &str) {
    const SHOWN: usize = 5;
    let unused: Vec<&str> = weights.unused(prefix).collect();
    if !unused.is_empty() {
        let some = unused.get(..SHOWN).unwrap_or(&unused).join(", ");
        tracing::warn!(file = %weights.path().display(), count = unused.len(), "tensors were not used: {some}");
    }
}

#[cfg(test)]
mod streaming_tests;
#[cfg(test)]
mod tests;
