//! The values that travel between the built-in nodes.
//!
//! Pictures, masks and latents lie in the host's memory between nodes, as in `ComfyUI`: cached results cost no memory of a
//! graphics card, and a workflow that only loads and saves pictures opens no device.

mod choices;
mod conditioning;
mod control;
mod image;
mod latent;
mod mask;
mod models;
mod operation;
mod sampling;
mod svg;
mod transfer;

pub use choices::{
    CheckpointName, ControlNetName, DiffusionModelName, GligenName, HypernetworkName, InputFile,
    InputImage, InputLatent, LoraName, OutputImage, SamplerName, SchedulerName, TextEncoderName,
    VaeName,
};
pub use conditioning::Conditioning;
pub use control::{ControlNet, Gligen};
pub use image::Image;
pub use latent::Latent;
pub use mask::Mask;
pub use models::{Clip, Model, Vae};
pub use operation::LatentOperation;
pub use sampling::{Guider, Noise, Sampler, Sigmas};
pub use svg::Svg;
pub use transfer::{host_device, on_device, on_host, values_of};
