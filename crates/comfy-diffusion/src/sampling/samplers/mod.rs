//! Samplers: ways from noise to a clean latent down a list of noise levels, one file each.
//!
//! All of them solve the same differential equation dx/dσ = (x − x₀(x, σ))/σ (Karras et al., 2022, with σ as the time), or
//! a stochastic one with the same distributions.

mod arithmetic;
mod ddim;
mod ddpm;
mod deis;
mod dpm_2;
mod dpm_adaptive;
mod dpm_fast;
mod dpm_solver;
mod dpmpp_2m;
mod dpmpp_2m_cfg_pp;
mod dpmpp_2m_sde;
mod dpmpp_2s_ancestral;
mod dpmpp_3m_sde;
mod dpmpp_sde;
mod er_sde;
mod euler;
mod euler_ancestral;
mod euler_cfg_pp;
mod gradient_estimation;
mod heun;
mod heunpp2;
mod ipndm;
mod lcm;
mod lms;
mod res_multistep;
mod sa_solver;
mod seeds;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
mod uni_pc;

use burn::tensor::Tensor;

pub use ddim::Ddim;
pub use ddpm::Ddpm;
pub use deis::Deis;
pub use dpm_2::Dpm2;
pub use dpm_adaptive::{Controller, DpmAdaptive};
pub use dpm_fast::DpmFast;
pub use dpmpp_2m::Dpmpp2m;
pub use dpmpp_2m_cfg_pp::Dpmpp2mCfgPp;
pub use dpmpp_2m_sde::{Correction, Dpmpp2mSde};
pub use dpmpp_2s_ancestral::{Dpmpp2sAncestral, Dpmpp2sAncestralCfgPp};
pub use dpmpp_3m_sde::Dpmpp3mSde;
pub use dpmpp_sde::DpmppSde;
pub use er_sde::{ErSde, NoiseFunction};
pub use euler::Euler;
pub use euler_ancestral::EulerAncestral;
pub use euler_cfg_pp::{EulerCfgPp, EulerFromNegative};
pub use gradient_estimation::GradientEstimation;
pub use heun::Heun;
pub use heunpp2::Heunpp2;
pub use ipndm::{Ipndm, IpndmV};
pub use lcm::Lcm;
pub use lms::Lms;
pub use res_multistep::ResMultistep;
pub use sa_solver::{NoisyLevels, SaSolver};
pub use seeds::{Seeds2, Seeds3};
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
#[derive(Clone, Copy)]
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

/// All samplers, in the order in which clients list them. The names that end in `_gpu` are the same methods: their Brownian
/// path is made on the host as well, so that a picture does not depend on the device.
pub const SAMPLERS: &[Sampler] = &[
    Sampler {
        name: "euler",
        method: &Euler,
    },
    Sampler {
        name: "euler_cfg_pp",
        method: &EulerCfgPp::USUAL,
    },
    Sampler {
        name: "euler_ancestral",
        method: &EulerAncestral::USUAL,
    },
    Sampler {
        name: "euler_ancestral_cfg_pp",
        method: &EulerCfgPp::ANCESTRAL,
    },
    Sampler {
        name: "heun",
        method: &Heun,
    },
    Sampler {
        name: "heunpp2",
        method: &Heunpp2,
    },
    Sampler {
        name: "dpm_2",
        method: &Dpm2::USUAL,
    },
    Sampler {
        name: "dpm_2_ancestral",
        method: &Dpm2::ANCESTRAL,
    },
    Sampler {
        name: "lms",
        method: &Lms { order: 4 },
    },
    Sampler {
        name: "dpm_fast",
        method: &DpmFast,
    },
    Sampler {
        name: "dpm_adaptive",
        method: &DpmAdaptive::USUAL,
    },
    Sampler {
        name: "dpmpp_2s_ancestral",
        method: &Dpmpp2sAncestral::USUAL,
    },
    Sampler {
        name: "dpmpp_2s_ancestral_cfg_pp",
        method: &Dpmpp2sAncestralCfgPp::USUAL,
    },
    Sampler {
        name: "dpmpp_sde",
        method: &DpmppSde::USUAL,
    },
    Sampler {
        name: "dpmpp_sde_gpu",
        method: &DpmppSde::USUAL,
    },
    Sampler {
        name: "dpmpp_2m",
        method: &Dpmpp2m,
    },
    Sampler {
        name: "dpmpp_2m_cfg_pp",
        method: &Dpmpp2mCfgPp,
    },
    Sampler {
        name: "dpmpp_2m_sde",
        method: &Dpmpp2mSde::USUAL,
    },
    Sampler {
        name: "dpmpp_2m_sde_gpu",
        method: &Dpmpp2mSde::USUAL,
    },
    Sampler {
        name: "dpmpp_2m_sde_heun",
        method: &Dpmpp2mSde::HEUN,
    },
    Sampler {
        name: "dpmpp_2m_sde_heun_gpu",
        method: &Dpmpp2mSde::HEUN,
    },
    Sampler {
        name: "dpmpp_3m_sde",
        method: &Dpmpp3mSde::USUAL,
    },
    Sampler {
        name: "dpmpp_3m_sde_gpu",
        method: &Dpmpp3mSde::USUAL,
    },
    Sampler {
        name: "ddpm",
        method: &Ddpm,
    },
    Sampler {
        name: "lcm",
        method: &Lcm,
    },
    Sampler {
        name: "ipndm",
        method: &Ipndm,
    },
    Sampler {
        name: "ipndm_v",
        method: &IpndmV,
    },
    Sampler {
        name: "deis",
        method: &Deis,
    },
    Sampler {
        name: "res_multistep",
        method: &ResMultistep::USUAL,
    },
    Sampler {
        name: "res_multistep_cfg_pp",
        method: &ResMultistep::CFG_PP,
    },
    Sampler {
        name: "res_multistep_ancestral",
        method: &ResMultistep::ANCESTRAL,
    },
    Sampler {
        name: "res_multistep_ancestral_cfg_pp",
        method: &ResMultistep::ANCESTRAL_CFG_PP,
    },
    Sampler {
        name: "gradient_estimation",
        method: &GradientEstimation::USUAL,
    },
    Sampler {
        name: "gradient_estimation_cfg_pp",
        method: &GradientEstimation::CFG_PP,
    },
    Sampler {
        name: "er_sde",
        method: &ErSde::USUAL,
    },
    Sampler {
        name: "seeds_2",
        method: &Seeds2,
    },
    Sampler {
        name: "seeds_3",
        method: &Seeds3,
    },
    Sampler {
        name: "sa_solver",
        method: &SaSolver::USUAL,
    },
    Sampler {
        name: "sa_solver_pece",
        method: &SaSolver::PECE,
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
    Sampler {
        name: "uni_pc_bh2",
        method: &UniPc {
            scaling: Scaling::Exponential,
        },
    },
];

/// The sampler of this name.
pub fn find_sampler(name: &str) -> Option<&'static Sampler> {
    SAMPLERS.iter().find(|sampler| sampler.name == name)
}
