//! Nodes that open the parts of a model from files of their own.

mod diffusion_model;
mod hypernetwork;
mod lora;
mod text_encoder;

use comfy_graph::{NodeRegistry, RegistryError};

pub use diffusion_model::{LoadedModel, UnetLoader, WeightType};
pub use hypernetwork::HypernetworkLoader;
pub use lora::{ChangedModelAndClip, LoraLoader, LoraLoaderModelOnly};
pub use text_encoder::{ClipLoader, DualClipLoader, LoadedClip, TextDevice};

/// Registers the loaders.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<UnetLoader>()?
        .register::<ClipLoader>()?
        .register::<DualClipLoader>()?
        .register::<LoraLoader>()?
        .register::<LoraLoaderModelOnly>()?
        .register::<HypernetworkLoader>()?;
    Ok(())
}
