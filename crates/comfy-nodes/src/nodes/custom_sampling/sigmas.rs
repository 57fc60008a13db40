//! Arithmetic on noise levels.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::{OneSigmas, TwoSigmas};
use crate::sockets::{Model, Sigmas};

/// Splits noise levels at a step.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SplitSigmas",
    name = "SplitSigmas",
    category = "sampling/custom_sampling/sigmas",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SplitSigmas {
    /// The noise levels.
    sigmas: Sigmas,
    /// The step with which the second part begins, from 0.
    #[input(default = 0u32, min = 0u32, max = 10000u32)]
    step: u32,
}

impl Node for SplitSigmas {
    type Output = TwoSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<TwoSigmas, NodeError> {
        let levels = &self.sigmas.0;
        let step = self.step as usize;
        Ok(TwoSigmas {
            high: levels[..levels.len().min(step + 1)].to_vec().into(),
            low: levels[levels.len().min(step)..].to_vec().into(),
        })
    }
}

/// Splits noise levels so that the second part has a given share of the steps.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SplitSigmasDenoise",
    name = "SplitSigmasDenoise",
    category = "sampling/custom_sampling/sigmas",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SplitSigmasDenoise {
    /// The noise levels.
    sigmas: Sigmas,
    /// The share of the steps that the second part has.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

impl Node for SplitSigmasDenoise {
    type Output = TwoSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<TwoSigmas, NodeError> {
        let levels = &self.sigmas.0;
        let steps = levels.len().saturating_sub(1);
        let wanted = (steps as f64 * self.denoise).round_ties_even().max(0.0) as usize;
        let wanted = wanted.min(levels.len());
        // Without any step for the second part there is no first part either, as in ComfyUI.
        let end = if wanted == 0 {
            0
        } else {
            levels.len() - wanted
        };
        Ok(TwoSigmas {
            high: levels[..end].to_vec().into(),
            low: levels[levels.len().saturating_sub(wanted + 1)..]
                .to_vec()
                .into(),
        })
    }
}

/// Turns noise levels around, so that a sampler adds noise instead of removing it.
#[derive(Debug, NodeSpec)]
#[node(
    id = "FlipSigmas",
    name = "FlipSigmas",
    category = "sampling/custom_sampling/sigmas",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct FlipSigmas {
    /// The noise levels. A last level of 0 becomes a first one of 0.0001.
    sigmas: Sigmas,
}

/// Stands for no noise at the beginning, where samplers divide by the level.
const ALMOST_NO_NOISE: f32 = 0.0001;

impl Node for FlipSigmas {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let mut levels: Vec<f32> = self.sigmas.0.iter().rev().copied().collect();
        if let Some(first) = levels.first_mut().filter(|first| **first == 0.0) {
            *first = ALMOST_NO_NOISE;
        }
        Ok(levels.into())
    }
}

/// Replaces the first noise level.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SetFirstSigma",
    name = "SetFirstSigma",
    category = "sampling/custom_sampling/sigmas",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SetFirstSigma {
    /// The noise levels, at least one.
    sigmas: Sigmas,
    /// The new first level.
    #[input(default = 136.0, min = 0.0, max = 20000.0, step = 0.001, round = false)]
    sigma: f64,
}

impl Node for SetFirstSigma {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let mut levels = self.sigmas.0.to_vec();
        match levels.first_mut() {
            Some(first) => *first = self.sigma as f32,
            None => {
                return Err(NodeError::value(
                    "expected at least one noise level, got none",
                ));
            }
        }
        Ok(levels.into())
    }
}

/// How levels between two others are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Spacing {
    /// Evenly.
    #[choice("linear")]
    Linear,
    /// More of them near the lower level.
    #[choice("cosine")]
    Cosine,
    /// More of them near the higher level.
    #[choice("sine")]
    Sine,
}

/// Puts further levels between those that lie in a range.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ExtendIntermediateSigmas",
    name = "ExtendIntermediateSigmas",
    category = "sampling/custom_sampling/sigmas",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct ExtendIntermediateSigmas {
    /// The noise levels.
    sigmas: Sigmas,
    /// How many steps each step in the range becomes.
    #[input(default = 2u32, min = 1u32, max = 100u32)]
    steps: u32,
    /// The highest level from which a step is divided; -1 is any.
    #[input(default = -1.0, min = -1.0, max = 20000.0, step = 0.01, round = false)]
    start_at_sigma: f64,
    /// The lowest level from which a step is divided.
    #[input(default = 12.0, min = 0.0, max = 20000.0, step = 0.01, round = false)]
    end_at_sigma: f64,
    /// How the new levels are spread.
    spacing: Spacing,
}

impl Node for ExtendIntermediateSigmas {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let any = self.start_at_sigma < 0.0;
        let highest = if any {
            f32::INFINITY
        } else {
            self.start_at_sigma as f32
        };
        let quarter = std::f32::consts::FRAC_PI_2;
        let parts: Vec<f32> = (1..self.steps)
            .map(|part| part as f32 / self.steps as f32)
            .map(|part| match self.spacing {
                Spacing::Linear => part,
                Spacing::Cosine => (part * quarter).sin(),
                Spacing::Sine => 1.0 - (part * quarter).cos(),
            })
            .collect();
        let mut levels = Vec::new();
        for pair in self.sigmas.0.windows(2) {
            levels.push(pair[0]);
            if (self.end_at_sigma as f32..=highest).contains(&pair[0]) {
                levels.extend(
                    parts
                        .iter()
                        .map(|part| part * (pair[1] - pair[0]) + pair[0]),
                );
            }
        }
        levels.extend(self.sigmas.0.last());
        Ok(levels.into())
    }
}

/// A noise level.
#[derive(Debug, Outputs)]
pub struct SigmaValue {
    /// The noise level.
    #[output(name = "sigma_value")]
    pub value: f64,
}

/// Tells the noise level at which a part of the way from noise to picture is done.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SamplingPercentToSigma",
    name = "SamplingPercentToSigma",
    category = "sampling/custom_sampling/sigmas",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct SamplingPercentToSigma {
    /// The model whose noise levels are meant.
    #[input(shows_settings)]
    model: Model,
    /// The part that is done, from 0 to 1.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.0001)]
    sampling_percent: f64,
    /// Whether 0 and 1 give the model's highest and lowest level. Otherwise they give a level above all others, and 0.
    #[input(default = false)]
    return_actual_sigma: bool,
}

impl Node for SamplingPercentToSigma {
    type Output = SigmaValue;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SigmaValue, NodeError> {
        let table = &self.model.get()?.sampling.table;
        let value = match self.sampling_percent {
            0.0 if self.return_actual_sigma => f64::from(table.sigma_max()),
            1.0 if self.return_actual_sigma => f64::from(table.sigma_min()),
            percent => table.percent_to_sigma(percent),
        };
        Ok(SigmaValue { value })
    }
}
