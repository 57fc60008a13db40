//! The values that travel between the built-in nodes.
//!
//! Pictures, masks and latents lie in the host's memory between nodes, as in `ComfyUI`: cached results cost no memory of a
//! graphics card, and a workflow that only loads and saves pictures opens no device.

mod choices;
mod conditioning;
mod control;
mod hooks;
mod image;
mod latent;
mod mask;
mod models;
mod operation;
mod sampling;
mod svg;
mod transfer;
mod upscale_model;
mod vision;

pub use choices::{
    CheckpointName, ClipVisionName, ConfigurationName, ControlNetName, DiffusionModelName,
    GligenName, HypernetworkName, InputFile, InputImage, InputLatent, LoraName, OutputImage,
    PhotoMakerName, PipelineName, SamplerName, SchedulerName, StyleModelName, TextEncoderName,
    UpscaleModelName, VaeName,
};
pub use conditioning::Conditioning;
pub use control::{ControlNet, Gligen};
pub use hooks::{Floats, HookKeyframes, Hooks};
pub use image::Image;
pub use latent::Latent;
pub use mask::Mask;
pub use models::{Clip, Model, Vae};
pub use operation::LatentOperation;
pub use sampling::{Guider, Noise, Sampler, Sigmas};
pub use svg::Svg;
pub use transfer::{host_device, on_device, on_host, values_of};
pub use upscale_model::UpscaleModel;
pub use vision::{ClipVision, PhotoMaker, StyleModel, WhatPicturesShow};
