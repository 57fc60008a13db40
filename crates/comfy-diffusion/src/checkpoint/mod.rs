//! Checkpoints: files that hold a diffusion network, its text encoder and its autoencoder together.
//!
//! Opening one reads the header, finds the [family](family::Family) by names and shapes, and gives handles. Weights are read when a
//! handle is first used, and again after [`Residency::unload_all`](crate::residency::Residency::unload_all).

mod diffusers_vae;
mod family;
mod sd1;
mod unet;
mod vae;

use std::path::Path;
use std::sync::Arc;

pub use vae::Vae;

use crate::Model;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::residency::Resident;
use crate::sampling::Hooks;
use crate::text::Clip;
use crate::weights::{Scope, Weights};
use family::{FAMILIES, Family};

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
    let weights = Arc::new(Weights::open(path)?);
    let prefix = diffusion_prefix(&weights);
    let family = family_of(&weights.root().enter(prefix))?;
    let vae = AUTOENCODER_PREFIXES
        .iter()
        .find_map(|prefix| Vae::at(&weights, prefix, device));
    tracing::info!(file = %path.display(), family = family.name, "checkpoint opened");
    Ok(Checkpoint {
        model: Some(model(&weights, prefix, family, device)),
        clip: (family.text_encoder)(&weights, device),
        vae,
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

fn family_of(network: &Scope) -> Result<&'static Family> {
    FAMILIES
        .iter()
        .find(|family| (family.matches)(network))
        .ok_or_else(|| {
            let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            Error::UnknownModel {
                path: network.weights().path().to_owned(),
                reason: format!(
                    "{}, and that is none of the known families ({})",
                    unet::describe(network),
                    names.join(", ")
                ),
            }
        })
}

fn model(
    weights: &Arc<Weights>,
    prefix: &'static str,
    family: &'static Family,
    device: &ComputeDevice,
) -> Model {
    let (source, target) = (Arc::clone(weights), device.clone());
    let name = format!("{} network of {}", family.name, weights.path().display());
    let load = move || {
        let network = (family.network)(&source.root().enter(prefix), &target)?;
        report_unused(&source, prefix);
        Ok(network)
    };
    Model {
        network: Resident::new(device.residency(), name, load),
        sampling: (family.sampling)(&weights.root().enter(prefix)),
        latent_format: family.latent_format,
        label: None,
        beside: crate::sampling::BesideRule::Nothing,
        hooks: Hooks::default(),
        device: device.clone(),
    }
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
mod tests;
