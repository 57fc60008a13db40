//! Sampling: from noise and conditions to a clean latent.
//!
//! A [`Scheduler`] chooses noise levels, a [`Sampler`] goes down them, and asks a [`Denoise`] at each for the clean latent.

mod denoise;
mod ksampler;
mod model_sampling;
mod noise;
mod noise_table;
mod run;
pub mod samplers;
pub mod schedulers;

pub use denoise::{Denoise, Guided};
pub use ksampler::{KSamplerSteps, ksampler_sigmas};
pub use model_sampling::{ModelSampling, Prediction};
pub use noise::{BrownianNoise, StepNoise, prepare_noise};
pub use noise_table::NoiseTable;
pub use run::{Observe, Run, Step};
pub use samplers::{Method, SAMPLERS, Sampler, find_sampler};
pub use schedulers::{SCHEDULERS, Scheduler, find_scheduler};
