//! Samplers put together from parts: noise, guider, method and noise levels, each from a node of its own.

mod align_your_steps;
mod guiders;
mod known_levels;
mod lcm_upscale;
mod noise;
mod optimal_steps;
mod outputs;
mod sample;
mod samplers;
mod schedulers;
mod sde_samplers;
mod sigmas;

use comfy_graph::{NodeRegistry, RegistryError};

pub use align_your_steps::*;
pub use guiders::*;
pub use lcm_upscale::SamplerLcmUpscale;
pub(super) use lcm_upscale::resized;
pub use noise::*;
pub use optimal_steps::*;
pub use outputs::*;
pub use sample::*;
pub use samplers::*;
pub use schedulers::*;
pub use sde_samplers::*;
pub use sigmas::*;

/// Registers the classes of this module.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<SamplerCustom>()?
        .register::<SamplerCustomAdvanced>()?
        .register::<BasicScheduler>()?
        .register::<KarrasScheduler>()?
        .register::<ExponentialScheduler>()?
        .register::<PolyexponentialScheduler>()?
        .register::<LaplaceScheduler>()?
        .register::<VpScheduler>()?
        .register::<BetaSamplingScheduler>()?
        .register::<SdTurboScheduler>()?
        .register::<AlignYourStepsScheduler>()?
        .register::<GitsScheduler>()?
        .register::<OptimalStepsScheduler>()?
        .register::<KSamplerSelect>()?
        .register::<SamplerEulerAncestral>()?
        .register::<SamplerEulerAncestralCfgPp>()?
        .register::<SamplerEulerCfgPp>()?
        .register::<SamplerLms>()?
        .register::<SamplerDpmpp3mSde>()?
        .register::<SamplerDpmpp2mSde>()?
        .register::<SamplerDpmppSde>()?
        .register::<SamplerDpmpp2sAncestral>()?
        .register::<SamplerDpmAdaptative>()?
        .register::<SamplerErSde>()?
        .register::<SamplerSaSolver>()?
        .register::<SamplerLcmUpscale>()?
        .register::<SplitSigmas>()?
        .register::<SplitSigmasDenoise>()?
        .register::<FlipSigmas>()?
        .register::<SetFirstSigma>()?
        .register::<ExtendIntermediateSigmas>()?
        .register::<SamplingPercentToSigma>()?
        .register::<CfgGuider>()?
        .register::<DualCfgGuider>()?
        .register::<BasicGuider>()?
        .register::<PerpNegGuider>()?
        .register::<RandomNoise>()?
        .register::<DisableNoise>()?
        .register::<AddNoise>()?;
    Ok(())
}
