//! Latent diffusion on burn: weights, text encoders, networks, schedules and samplers.

pub mod checkpoint;
pub mod device;
pub mod error;
mod model;
pub mod models;
pub mod ops;
pub mod patches;
pub mod random;
pub mod residency;
pub mod sampling;
pub mod text;
pub mod weight_hooks;
pub mod weights;

pub use checkpoint::{
    Checkpoint, ClipVision, PhotoMaker, StyleModel, UpscaleModel, Vae, open_checkpoint,
    open_control_net, open_diffusers_folder, open_diffusion_model, open_gligen, open_hypernetwork,
    open_text_encoder,
};
pub use error::{Error, Result};
pub use model::Model;
