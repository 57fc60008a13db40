//! Schedulers: nodes that choose noise levels.

use comfy_diffusion::sampling::schedulers::{
    beta_with, exponential_between, karras_between, laplace_between, polyexponential_between,
    turbo, variance_preserving,
};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::OneSigmas;
use crate::nodes::sampling::named_scheduler;
use crate::sockets::{Model, SchedulerName};

/// Schedules longer than this would not fit the memory.
const MOST_STEPS: f64 = 10_000_000.0;

/// Chooses the noise levels of a model by one of the usual schedules.
#[derive(Debug, NodeSpec)]
#[node(
    id = "BasicScheduler",
    name = "BasicScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct BasicScheduler {
    /// The model whose noise levels are meant.
    model: Model,
    /// How the noise is spread over the steps.
    scheduler: SchedulerName,
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// 1 begins with pure noise; less takes the last steps of a longer schedule, and 0 none.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

impl Node for BasicScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let steps = self.steps as usize;
        let total = if self.denoise < 1.0 {
            if self.denoise <= 0.0 {
                return Ok(Vec::new().into());
            }
            let total = steps as f64 / self.denoise;
            if total > MOST_STEPS {
                return Err(NodeError::value(format_args!(
                    "expected a schedule of at most {MOST_STEPS} steps, but {steps} steps with a denoise of {} take {total:.0}",
                    self.denoise
                )));
            }
            total as usize
        } else {
            steps
        };
        let table = &self.model.get()?.sampling.table;
        let mut levels = named_scheduler(&self.scheduler)?.sigmas(table, total);
        levels.drain(..levels.len().saturating_sub(steps + 1));
        Ok(levels.into())
    }
}

/// Noise levels that come closer together towards the end (Karras et al. 2022).
#[derive(Debug, NodeSpec)]
#[node(
    id = "KarrasScheduler",
    name = "KarrasScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct KarrasScheduler {
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// The first noise level.
    #[input(
        default = 14.614642,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_max: f64,
    /// The last noise level before 0.
    #[input(
        default = 0.0291675,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_min: f64,
    /// How unevenly the levels are spread: 1 is evenly.
    #[input(default = 7.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    rho: f64,
}

impl Node for KarrasScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        if self.rho == 0.0 {
            return Err(NodeError::value("expected a rho other than 0"));
        }
        Ok(karras_between(
            self.steps as usize,
            self.sigma_min,
            self.sigma_max,
            self.rho,
        )
        .into())
    }
}

/// Noise levels each of which is the same part of the one before.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ExponentialScheduler",
    name = "ExponentialScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct ExponentialScheduler {
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// The first noise level.
    #[input(
        default = 14.614642,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_max: f64,
    /// The last noise level before 0.
    #[input(
        default = 0.0291675,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_min: f64,
}

impl Node for ExponentialScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        positive(self.sigma_min, self.sigma_max)?;
        Ok(exponential_between(self.steps as usize, self.sigma_min, self.sigma_max).into())
    }
}

/// Noise levels whose logarithms fall by a power of the step.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PolyexponentialScheduler",
    name = "PolyexponentialScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct PolyexponentialScheduler {
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// The first noise level.
    #[input(
        default = 14.614642,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_max: f64,
    /// The last noise level before 0.
    #[input(
        default = 0.0291675,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_min: f64,
    /// The power: 1 is as the exponential schedule, more comes down faster at first.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01, round = false)]
    rho: f64,
}

impl Node for PolyexponentialScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        positive(self.sigma_min, self.sigma_max)?;
        Ok(polyexponential_between(
            self.steps as usize,
            self.sigma_min,
            self.sigma_max,
            self.rho,
        )
        .into())
    }
}

/// Noise levels around a middle, where most of the work is. The last one is not 0.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LaplaceScheduler",
    name = "LaplaceScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct LaplaceScheduler {
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// The first noise level.
    #[input(
        default = 14.614642,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_max: f64,
    /// The last noise level before 0.
    #[input(
        default = 0.0291675,
        min = 0.0,
        max = 5000.0,
        step = 0.01,
        round = false
    )]
    sigma_min: f64,
    /// The logarithm of the middle level.
    #[input(default = 0.0, min = -10.0, max = 10.0, step = 0.1, round = false)]
    mu: f64,
    /// How far the levels spread.
    #[input(default = 0.5, min = 0.0, max = 10.0, step = 0.1, round = false)]
    beta: f64,
}

impl Node for LaplaceScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let levels = laplace_between(
            self.steps as usize,
            self.sigma_min,
            self.sigma_max,
            self.mu,
            self.beta,
        );
        Ok(levels.into())
    }
}

/// Noise levels of the continuous process that keeps the variance (Song et al. 2021).
#[derive(Debug, NodeSpec)]
#[node(
    id = "VPScheduler",
    name = "VPScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct VpScheduler {
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// By how much the rate of noise grows.
    #[input(default = 19.9, min = 0.0, max = 5000.0, step = 0.01, round = false)]
    beta_d: f64,
    /// The rate of noise at the end.
    #[input(default = 0.1, min = 0.0, max = 5000.0, step = 0.01, round = false)]
    beta_min: f64,
    /// The time of the last level before 0; it begins at 1.
    #[input(default = 0.001, min = 0.0, max = 1.0, step = 0.0001, round = false)]
    eps_s: f64,
}

impl Node for VpScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        Ok(variance_preserving(self.steps as usize, self.beta_d, self.beta_min, self.eps_s).into())
    }
}

/// Noise levels of a model at the quantiles of a beta distribution. With the defaults they are dense at both ends.
#[derive(Debug, NodeSpec)]
#[node(
    id = "BetaSamplingScheduler",
    name = "BetaSamplingScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct BetaSamplingScheduler {
    /// The model whose noise levels are meant.
    model: Model,
    /// How many steps are taken.
    #[input(default = 20u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// Below 1 there are more levels with little noise.
    #[input(default = 0.6, min = 0.0, max = 50.0, step = 0.01, round = false)]
    alpha: f64,
    /// Below 1 there are more levels with much noise.
    #[input(default = 0.6, min = 0.0, max = 50.0, step = 0.01, round = false)]
    beta: f64,
}

impl Node for BetaSamplingScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        if self.alpha <= 0.0 || self.beta <= 0.0 {
            return Err(NodeError::value(format_args!(
                "expected an alpha and a beta above 0, got {} and {}",
                self.alpha, self.beta
            )));
        }
        let table = &self.model.get()?.sampling.table;
        Ok(beta_with(table, self.steps as usize, self.alpha, self.beta).into())
    }
}

/// The noise levels that SD Turbo and its relatives were trained at.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SDTurboScheduler",
    name = "SDTurboScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SdTurboScheduler {
    /// The model whose noise levels are meant.
    model: Model,
    /// How many steps are taken, of at most ten.
    #[input(default = 1u32, min = 1u32, max = 10u32)]
    steps: u32,
    /// 1 begins with pure noise; less leaves out the first of the ten levels.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

impl Node for SdTurboScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let table = &self.model.get()?.sampling.table;
        Ok(turbo(table, self.steps as usize, self.denoise).into())
    }
}

/// That both ends of a range have a logarithm.
fn positive(sigma_min: f64, sigma_max: f64) -> Result<(), NodeError> {
    if sigma_min > 0.0 && sigma_max > 0.0 {
        return Ok(());
    }
    Err(NodeError::value(format_args!(
        "expected noise levels above 0, got {sigma_max} and {sigma_min}"
    )))
}
