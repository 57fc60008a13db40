//! Methods of sampling on stochastic differential equations.

use comfy_diffusion::sampling::samplers::{
    Correction, Dpmpp2mSde, Dpmpp2sAncestral, Dpmpp3mSde, DpmppSde, ErSde, NoiseFunction,
    NoisyLevels, SaSolver,
};
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::OneSampler;
use crate::sockets::Model;

/// Where the noise of a method is drawn. Here that is always the processor, so that a picture does not depend on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum NoiseDevice {
    /// Where the model runs.
    #[choice("gpu")]
    Gpu,
    /// The processor.
    #[choice("cpu")]
    Cpu,
}

/// How the change of the prediction enters a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum SolverType {
    /// By the prediction in its middle.
    #[choice("midpoint")]
    Midpoint,
    /// By the integral of a line.
    #[choice("heun")]
    Heun,
}

/// Which equation is solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum ErSdeType {
    /// The extended reverse-time equation.
    #[choice("ER-SDE")]
    Extended,
    /// The usual reverse-time equation.
    #[choice("Reverse-time SDE")]
    ReverseTime,
    /// The equation without noise.
    #[choice("ODE")]
    Ordinary,
}

/// DPM-Solver++ of third order, with noise.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerDPMPP_3M_SDE",
    name = "SamplerDPMPP_3M_SDE",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerDpmpp3mSde {
    /// How much of the noise is renewed in each step: 0 none, 1 as much as in ancestral sampling.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
    /// Where the noise is drawn; both give the same.
    noise_device: NoiseDevice,
}

impl Node for SamplerDpmpp3mSde {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        let _ = self.noise_device;
        Ok(Dpmpp3mSde {
            eta: self.eta,
            noise_scale: self.s_noise,
        }
        .into())
    }
}

/// DPM-Solver++ of second order over several steps, with noise.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerDPMPP_2M_SDE",
    name = "SamplerDPMPP_2M_SDE",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerDpmpp2mSde {
    /// How the change of the prediction enters a step.
    solver_type: SolverType,
    /// How much of the noise is renewed in each step: 0 none, 1 as much as in ancestral sampling.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
    /// Where the noise is drawn; both give the same.
    noise_device: NoiseDevice,
}

impl Node for SamplerDpmpp2mSde {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        let _ = self.noise_device;
        Ok(Dpmpp2mSde {
            eta: self.eta,
            noise_scale: self.s_noise,
            correction: match self.solver_type {
                SolverType::Midpoint => Correction::Midpoint,
                SolverType::Heun => Correction::Heun,
            },
        }
        .into())
    }
}

/// DPM-Solver++ of second order within a step, with noise.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerDPMPP_SDE",
    name = "SamplerDPMPP_SDE",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerDpmppSde {
    /// How much of the noise is renewed in each step: 0 none, 1 as much as in ancestral sampling.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
    /// Where in a step the model is called the second time.
    #[input(default = 0.5, min = 0.0, max = 100.0, step = 0.01, round = false)]
    r: f64,
    /// Where the noise is drawn; both give the same.
    noise_device: NoiseDevice,
}

impl Node for SamplerDpmppSde {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        let _ = self.noise_device;
        if self.r == 0.0 {
            return Err(NodeError::value("expected an r other than 0"));
        }
        Ok(DpmppSde {
            eta: self.eta,
            noise_scale: self.s_noise,
            part: self.r,
        }
        .into())
    }
}

/// DPM-Solver++ of second order within a step, with fresh noise in each.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerDPMPP_2S_Ancestral",
    name = "SamplerDPMPP_2S_Ancestral",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerDpmpp2sAncestral {
    /// How much of the noise is renewed in each step: 0 none, 1 as much as in ancestral sampling.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
}

impl Node for SamplerDpmpp2sAncestral {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        Ok(Dpmpp2sAncestral {
            eta: self.eta,
            noise_scale: self.s_noise,
        }
        .into())
    }
}

/// The extended reverse-time solver.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerER_SDE",
    name = "SamplerER_SDE",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerErSde {
    /// Which equation is solved.
    #[input(combo)]
    solver_type: ErSdeType,
    /// How many earlier steps are looked at, with the present one.
    #[input(default = 3u32, min = 1u32, max = 3u32)]
    max_stage: u32,
    /// How much noise the reverse-time equation adds; the others have no use for it.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    eta: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
}

impl Node for SamplerErSde {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        let eta = match self.solver_type {
            ErSdeType::Ordinary => 0.0,
            ErSdeType::Extended | ErSdeType::ReverseTime => self.eta,
        };
        let (function, is_quiet) = match self.solver_type {
            ErSdeType::Extended => (NoiseFunction::Extended, false),
            ErSdeType::ReverseTime | ErSdeType::Ordinary => {
                (NoiseFunction::Power(eta + 1.0), eta == 0.0)
            }
        };
        Ok(ErSde {
            function,
            noise_scale: if is_quiet { 0.0 } else { self.s_noise },
            order: self.max_stage as usize,
        }
        .into())
    }
}

/// The stochastic Adams solver: predictor and corrector with a chosen amount of noise.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplerSASolver",
    name = "SamplerSASolver",
    category = "sampling/custom_sampling/samplers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplerSaSolver {
    /// The model whose noise levels are meant.
    #[input(shows_settings)]
    model: Model,
    /// The strength of the noise; 0 adds none.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01, round = false)]
    eta: f64,
    /// The part of the way after which noise is added.
    #[input(default = 0.2, min = 0.0, max = 1.0, step = 0.001)]
    sde_start_percent: f64,
    /// The part of the way after which no more noise is added.
    #[input(default = 0.8, min = 0.0, max = 1.0, step = 0.001)]
    sde_end_percent: f64,
    /// A factor on the noise that is added.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    s_noise: f64,
    /// How many steps the predictor looks at.
    #[input(default = 3u32, min = 1u32, max = 6u32)]
    predictor_order: u32,
    /// How many steps the corrector looks at; 0 corrects nothing.
    #[input(default = 4u32, min = 0u32, max = 6u32)]
    corrector_order: u32,
    /// Whether the model is called again after each correction.
    use_pece: bool,
    /// Whether steps of second order take simpler coefficients.
    simple_order_2: bool,
}

impl Node for SamplerSaSolver {
    type Output = OneSampler;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSampler, NodeError> {
        let table = &self.model.get()?.sampling.table;
        Ok(SaSolver {
            eta: self.eta,
            noise_scale: self.s_noise,
            evaluates_corrected: self.use_pece,
            noisy: NoisyLevels::Sigmas(
                table.percent_to_sigma(self.sde_start_percent),
                table.percent_to_sigma(self.sde_end_percent),
            ),
            predictor_order: self.predictor_order as usize,
            corrector_order: self.corrector_order as usize,
            is_simple: self.simple_order_2,
        }
        .into())
    }
}
