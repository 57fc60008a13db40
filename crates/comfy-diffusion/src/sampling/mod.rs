//! Sampling: from noise and conditions to a clean latent.
//!
//! A [`Scheduler`] chooses noise levels, a [`Sampler`] goes down them, and asks a [`Denoise`] at each for the clean latent.

mod batching;
mod beside;
mod condition;
mod conditioning;
mod control;
mod denoise;
mod fit;
pub mod guidance;
pub mod hooks;
mod host;
mod ksampler;
mod label;
mod latent_format;
mod leftover;
mod mask;
mod memory;
mod model_sampling;
mod networks;
mod noise;
mod noise_table;
pub mod preview;
mod resize;
mod run;
mod sample;
pub mod samplers;
pub mod schedulers;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

pub use beside::BesideRule;
pub use conditioning::{
    Area, Beside, Cells, ConditionMask, Conditioning, GroundedThings, ImageHint, LabelHints,
    ProgressRange,
};
pub use control::{Control, ControlNet, ControlSource, Fading};
pub use denoise::{Denoise, Guided};
pub use guidance::{ClassifierFree, Guidance, Moment, Predictions};
pub use hooks::Hooks;
pub use ksampler::KSamplerSteps;
pub use label::{AestheticLabel, LabelRule, LabelSource, PictureLabel, SizeLabel};
pub use latent_format::LatentFormat;
pub use memory::{Key, Memory};
pub use model_sampling::{ModelSampling, Prediction};
pub use noise::{BrownianNoise, StepNoise, prepare_noise};
pub use noise_table::NoiseTable;
pub use run::{Observe, Run, Step};
pub use sample::{SampleRequest, sample};
pub use samplers::{Method, SAMPLERS, Sampler, find_sampler};
pub use schedulers::{SCHEDULERS, Scheduler, find_scheduler};
