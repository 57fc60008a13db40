//! The built-in node classes, one file each.

mod checkpoint_loader_simple;
mod clip_set_last_layer;
mod clip_text_encode;
mod conditioning;
mod control;
mod custom_sampling;
mod empty_latent_image;
mod families;
mod files;
mod hooks;
pub mod image;
mod input_file;
mod ksampler;
mod ksampler_advanced;
mod latent;
mod load_image;
mod loaders;
pub mod mask;
mod metadata;
mod model_merging;
mod model_patches;
mod outputs;
mod preview_any;
mod preview_image;
mod sampling;
mod save_image;
mod saving;
mod shapes;
mod steps;
mod text;
mod vae_decode;
mod vae_encode;
mod vae_loader;
mod vae_tiled;
mod vision;

use comfy_graph::{NodeRegistry, RegistryError};

pub use checkpoint_loader_simple::{CheckpointLoaderSimple, LoadedCheckpoint};
pub use clip_set_last_layer::{ClipSetLastLayer, LimitedClip};
pub use clip_text_encode::{ClipTextEncode, EncodedPrompt};
pub use conditioning::*;
pub use control::*;
pub use custom_sampling::*;
pub use empty_latent_image::{EmptyLatent, EmptyLatentImage};
pub use families::*;
pub use files::*;
pub use hooks::*;
pub use ksampler::KSampler;
pub use ksampler_advanced::{KSamplerAdvanced, Switch, SwitchOff};
pub use latent::*;
pub use load_image::{LoadImage, LoadedImage};
pub use loaders::*;
pub use model_merging::*;
pub use model_patches::*;
pub use outputs::{ChangedClip, ImageAndMask, OneImage, OneMask};
pub use preview_any::PreviewAny;
pub use preview_image::PreviewImage;
pub use sampling::SampledLatent;
pub use save_image::SaveImage;
pub use text::*;
pub use vae_decode::{DecodedImage, VaeDecode};
pub use vae_encode::{EncodedImage, VaeEncode};
pub use vae_loader::{LoadedVae, VaeLoader};
pub use vae_tiled::{VaeDecodeTiled, VaeEncodeTiled};
pub use vision::*;

/// Registers all built-in node classes.
pub fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<KSampler>()?
        .register::<CheckpointLoaderSimple>()?
        .register::<ClipTextEncode>()?
        .register::<ClipSetLastLayer>()?
        .register::<VaeDecode>()?
        .register::<VaeEncode>()?
        .register::<VaeLoader>()?
        .register::<VaeDecodeTiled>()?
        .register::<VaeEncodeTiled>()?
        .register::<EmptyLatentImage>()?
        .register::<SaveImage>()?
        .register::<PreviewImage>()?
        .register::<LoadImage>()?
        .register::<KSamplerAdvanced>()?
        .register::<PreviewAny>()?;
    loaders::register(registry)?;
    families::register(registry)?;
    image::register(registry)?;
    mask::register(registry)?;
    latent::register(registry)?;
    conditioning::register(registry)?;
    control::register(registry)?;
    hooks::register(registry)?;
    custom_sampling::register(registry)?;
    model_merging::register(registry)?;
    model_patches::register(registry)?;
    vision::register(registry)?;
    files::register(registry)?;
    text::register(registry)
}
