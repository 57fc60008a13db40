//! Latent diffusion on burn: weights, text encoders, networks, schedules and samplers.

pub mod error;
pub mod random;
pub mod text;
pub mod weights;

pub use error::{Error, Result};
