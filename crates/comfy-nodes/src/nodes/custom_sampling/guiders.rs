//! Guiders: a model with the prompts that it is held to.

use std::sync::Arc;

use comfy_diffusion::sampling::ClassifierFree;
use comfy_diffusion::sampling::guidance::{Dual, PerpendicularNegative};
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::OneGuider;
use crate::nodes::sampling::classifier_free;
use crate::sockets::{Conditioning, Guider, Model};

/// Holds a model to a positive and a negative prompt.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CFGGuider",
    name = "CFGGuider",
    category = "sampling/custom_sampling/guiders",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct CfgGuider {
    /// The model.
    model: Model,
    /// What the picture is to show.
    positive: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// How strictly the prompts are followed. 1 ignores the negative one.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg: f64,
}

impl Node for CfgGuider {
    type Output = OneGuider;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneGuider, NodeError> {
        Ok(OneGuider {
            guider: classifier_free(self.model, self.positive, self.negative, self.cfg),
        })
    }
}

/// How two scales of guidance work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum DualStyle {
    /// Each stretches its own part of the way.
    #[choice("regular")]
    Regular,
    /// The second stretches the result of the first.
    #[choice("nested")]
    Nested,
}

/// Holds a model to two positive prompts and a negative one, each with a scale of its own. For models that change a picture by
/// an instruction.
#[derive(Debug, NodeSpec)]
#[node(
    id = "DualCFGGuider",
    name = "DualCFGGuider",
    category = "sampling/custom_sampling/guiders",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct DualCfgGuider {
    /// The model.
    model: Model,
    /// The prompt that is followed most.
    cond1: Conditioning,
    /// The prompt that stands between the first and the negative one.
    cond2: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// How far to go from the second towards the first prompt.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg_conds: f64,
    /// How far to go from the negative towards the second prompt.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg_cond2_negative: f64,
    /// How the two scales work together.
    style: DualStyle,
}

impl Node for DualCfgGuider {
    type Output = OneGuider;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneGuider, NodeError> {
        let guidance = Dual {
            positive: self.cond1.0,
            middle: self.cond2.0,
            negative: self.negative.0,
            scale: self.cfg_conds,
            negative_scale: self.cfg_cond2_negative,
            is_nested: self.style == DualStyle::Nested,
        };
        Ok(OneGuider {
            guider: Guider {
                model: self.model,
                guidance: Arc::new(guidance),
            },
        })
    }
}

/// Holds a model to one prompt, without a negative one.
#[derive(Debug, NodeSpec)]
#[node(
    id = "BasicGuider",
    name = "BasicGuider",
    category = "sampling/custom_sampling/guiders",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct BasicGuider {
    /// The model.
    model: Model,
    /// What the picture is to show.
    conditioning: Conditioning,
}

impl Node for BasicGuider {
    type Output = OneGuider;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneGuider, NodeError> {
        Ok(OneGuider {
            guider: Guider {
                model: self.model,
                guidance: Arc::new(ClassifierFree::positive(self.conditioning.0)),
            },
        })
    }
}

/// Holds a model to a positive prompt and takes only that part of the negative one away that does not contradict it.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PerpNegGuider",
    category = "_for_testing",
    module = "comfy_extras.nodes_perpneg",
    v3,
    experimental
)]
pub struct PerpNegGuider {
    /// The model.
    model: Model,
    /// What the picture is to show.
    positive: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// An empty prompt, against which both are measured.
    empty_conditioning: Conditioning,
    /// How strictly the positive prompt is followed.
    #[input(default = 8.0, min = 0.0, max = 100.0, step = 0.1, round = 0.01)]
    cfg: f64,
    /// How much of the negative prompt is taken away.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01)]
    neg_scale: f64,
}

impl Node for PerpNegGuider {
    type Output = OneGuider;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneGuider, NodeError> {
        let guidance = PerpendicularNegative {
            positive: self.positive.0,
            negative: self.negative.0,
            empty: self.empty_conditioning.0,
            scale: self.cfg,
            negative_scale: self.neg_scale,
        };
        Ok(OneGuider {
            guider: Guider {
                model: self.model,
                guidance: Arc::new(guidance),
            },
        })
    }
}
