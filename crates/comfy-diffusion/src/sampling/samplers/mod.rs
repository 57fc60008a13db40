//! Samplers: ways from noise to a clean latent down a list of noise levels, one file each.
//!
//! All of them solve the same differential equation dx/dσ = (x − x₀(x, σ))/σ (Karras et al., 2022, with σ as the time), or
//! a stochastic one with the same distributions.

mod arithmetic;
mod ddim;
mod dpmpp_2m;
mod dpmpp_2m_sde;
mod euler;
mod euler_ancestral;
mod heun;
mod lcm;
#[cfg(test)]
mod tests;
mod uni_pc;

use burn::tensor::Tensor;

pub use ddim::Ddim;
pub use dpmpp_2m::Dpmpp2m;
pub use dpmpp_2m_sde::{Correction, Dpmpp2mSde};
pub use euler::Euler;
pub use euler_ancestral::EulerAncestral;
pub use heun::Heun;
pub use lcm::Lcm;
pub use uni_pc::{Scaling, UniPc};

use super::Run;
use crate::Result;

/// A way to sample, with its settings.
pub trait Method: Send + Sync {
    /// Takes `x` [batch, channels, height, width], noisy at the run's first level, down to the last level.
    fn run(&self, run: &mut Run<'_>, x: Tensor<4>) -> Result<Tensor<4>>;

    /// Whether schedules are made with one step more and lose their last but one level: the method would need the model
    /// too close to no noise there.
    fn drops_penultimate_level(&self) -> bool {
        false
    }

    /// Whether the kept part of a masked latent is noised with noise of its own (seed + 1) instead of the initial noise.
    fn renews_mask_noise(&self) -> bool {
        false
    }
}

/// A method under the name that workflows use, with its usual settings.
pub struct Sampler {
    /// The name.
    pub name: &'static str,
    method: &'static dyn Method,
}

impl Method for Sampler {
    fn run(&self, run: &mut Run<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        self.method.run(run, x)
    }

    fn drops_penultimate_level(&self) -> bool {
        self.method.drops_penultimate_level()
    }

    fn renews_mask_noise(&self) -> bool {
        self.method.renews_mask_noise()
    }
}

impl std::fmt::Debug for Sampler {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Sampler").field(&self.name).finish()
    }
}

/// All samplers, in the order in which clients list them.
pub const SAMPLERS: &[Sampler] = &[
    Sampler {
        name: "euler",
        method: &Euler,
    },
    Sampler {
        name: "euler_ancestral",
        method: &EulerAncestral::USUAL,
    },
    Sampler {
        name: "heun",
        method: &Heun,
    },
    Sampler {
        name: "dpmpp_2m",
        method: &Dpmpp2m,
    },
    Sampler {
        name: "dpmpp_2m_sde",
        method: &Dpmpp2mSde::USUAL,
    },
    Sampler {
        name: "lcm",
        method: &Lcm,
    },
    Sampler {
        name: "ddim",
        method: &Ddim,
    },
    Sampler {
        name: "uni_pc",
        method: &UniPc {
            scaling: Scaling::H,
        },
    },
];

/// The sampler of this name.
pub fn find_sampler(name: &str) -> Option<&'static Sampler> {
    SAMPLERS.iter().find(|sampler| sampler.name == name)
}
