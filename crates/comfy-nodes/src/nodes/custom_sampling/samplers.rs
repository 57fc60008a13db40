//! Methods of sampling with settings of their own: by name, and those on ordinary differential equations.

use comfy_diffusion::sampling::samplers::{
    Controller, DpmAdaptive, EulerAncestral, EulerCfgPp, EulerFromNegative, Lms,
};
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::OneSampler;
use crate::nodes::sampling::named_sampler;
use crate::sockets::SamplerName;

/// One of the usual methods, with its usual settings.
#[derive(Debug, NodeSpec)]
#[node(
    id = "KSamplerSelect",
    name = "KSamplerSelect",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct KSamplerSelect {
    /// The method.
    sampler_name: SamplerName,
}

impl Node for KSamplerSelect {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok((*named_sampler(&self.sampler_name)?).into())
    }
}

/// Euler's method with fresh noise in each step.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerEulerAncestral",
    name = "SamplerEulerAncestral",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerEulerAncestral {
    /// How much of the noise is renewed in each step: 0 none, 1 as much as in ancestral sampling.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
}

impl Node for SamplerEulerAncestral {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(EulerAncestral {
            eta: self.eta,
            noise_scale: self.s_noise,
        }
        .into())
    }
}

/// Euler's method with fresh noise, renoised along the negative prompt (CFG++).
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerEulerAncestralCFGPP",
    name = "SamplerEulerAncestralCFG++",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerEulerAncestralCfgPp {
    /// How much of the noise is renewed in each step: 0 none, 1 as much as in ancestral sampling.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01, round = false)]
    s_noise: f64,
}

impl Node for SamplerEulerAncestralCfgPp {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(EulerCfgPp {
            eta: self.eta,
            noise_scale: self.s_noise,
        }
        .into())
    }
}

/// Which form of CFG++ is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum CfgPpVersion {
    /// That of the paper.
    #[choice("regular")]
    Regular,
    /// One that counts the difference of the prompts twice.
    #[choice("alternative")]
    Alternative,
}

/// Euler's method that renoises along the negative prompt (CFG++). It wants a much lower scale of guidance than others.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerEulerCFGpp",
    name = "SamplerEulerCFG++",
    category = "_for_testing",
    module = "comfy_extras.nodes_advanced_samplers",
    v3,
    experimental
)]
pub struct SamplerEulerCfgPp {
    /// The form of the method.
    version: CfgPpVersion,
}

impl Node for SamplerEulerCfgPp {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(match self.version {
            CfgPpVersion::Regular => EulerCfgPp::USUAL.into(),
            CfgPpVersion::Alternative => EulerFromNegative.into(),
        })
    }
}

/// Linear multistep: each step goes on along the last few.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerLMS",
    name = "SamplerLMS",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerLms {
    /// How many steps are looked at.
    #[input(default = 4u32, min = 1u32, max = 100u32)]
    order: u32,
}

impl Node for SamplerLms {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(Lms {
            order: self.order as usize,
        }
        .into())
    }
}

/// DPM-Solver that chooses its own steps. Of the noise levels only the first and the last count.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerDPMAdaptative",
    name = "SamplerDPMAdaptative",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerDpmAdaptative {
    /// The order of the method: 3 is finer.
    #[input(default = 3u32, min = 2u32, max = 3u32)]
    order: u32,
    /// The error allowed in proportion to the values.
    #[input(default = 0.05, min = 0.0, max = 100.0, step = 0.01, round = false)]
    rtol: f64,
    /// The error allowed in any case.
    #[input(default = 0.0078, min = 0.0, max = 100.0, step = 0.01, round = false)]
    atol: f64,
    /// The first step in the logarithm of the noise level.
    #[input(default = 0.05, min = 0.0, max = 100.0, step = 0.01, round = false)]
    h_init: f64,
    /// The part that the present error has in the length of the next step.
    #[input(default = 0.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    pcoeff: f64,
    /// The part that the sum of the errors has.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    icoeff: f64,
    /// The part that the change of the errors has.
    #[input(default = 0.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    dcoeff: f64,
    /// A step is done again if the next one would have to be shorter than this part of it.
    #[input(default = 0.81, min = 0.0, max = 100.0, step = 0.01, round = false)]
    accept_safety: f64,
    /// How much of the noise is renewed in each step; 0 is none.
    #[input(default = 0.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
}

impl Node for SamplerDpmAdaptative {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(DpmAdaptive {
            order: self.order as usize,
            relative_tolerance: self.rtol,
            absolute_tolerance: self.atol,
            first_step: self.h_init,
            controller: Controller {
                proportional: self.pcoeff,
                integral: self.icoeff,
                derivative: self.dcoeff,
                accepted_factor: self.accept_safety,
            },
            eta: self.eta,
            noise_scale: self.s_noise,
        }
        .into())
    }
}
