//! Nodes that open the parts of a model from files of their own.

mod configured;
mod diffusion_model;
mod hypernetwork;
mod lora;
mod pipeline;
mod text_encoder;
mod upscale_model;

use comfy_graph::{NodeRegistry, RegistryError};

pub use configured::CheckpointLoader;
pub(crate) use configured::known_configurations;
pub use diffusion_model::{LoadedModel, UnetLoader, WeightType};
pub use hypernetwork::HypernetworkLoader;
pub(super) use lora::open as open_lora;
pub use lora::{ChangedModelAndClip, LoraLoader, LoraLoaderModelOnly};
pub use pipeline::DiffusersLoader;
pub use text_encoder::{ClipLoader, DualClipLoader, LoadedClip, TextDevice};
pub use upscale_model::{LoadedUpscaleModel, UpscaleModelLoader};

/// Registers the loaders.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<UnetLoader>()?
        .register::<ClipLoader>()?
        .register::<DualClipLoader>()?
        .register::<LoraLoader>()?
        .register::<LoraLoaderModelOnly>()?
        .register::<HypernetworkLoader>()?
        .register::<UpscaleModelLoader>()?
        .register::<CheckpointLoader>()?
        .register::<DiffusersLoader>()?;
    Ok(())
}
