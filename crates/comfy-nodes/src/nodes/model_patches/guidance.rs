//! Nodes that change how a model is guided.

use std::sync::Arc;

use comfy_diffusion::patches::{
    EpsilonScale, FrequencyScale, LimitedNorm, Mahiro as MahiroGuidance, PerturbedAttention,
    ProjectedGuidance, RenormalizedGuidance, RescaledGuidance,
    SelfAttentionGuidance as BlurGuidance, TangentialDamping, ZeroStar,
};
use comfy_diffusion::sampling::guidance::PerpendicularFunction;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::{ChangedModel, PatchedModel};
use crate::sockets::{Conditioning, Model};

/// Draws the contrast of the result back to that of the positive prompt, so that high scales of guidance do not overexpose.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RescaleCFG",
    name = "RescaleCFG",
    category = "advanced/model",
    module = "comfy_extras.nodes_model_advanced"
)]
pub struct RescaleCfg {
    /// The model.
    model: Model,
    /// How much of the result is drawn back.
    #[input(default = 0.7, min = 0.0, max = 1.0, step = 0.01)]
    multiplier: f64,
}

impl Node for RescaleCfg {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| {
                hooks.with_function(Arc::new(RescaledGuidance {
                    multiplier: self.multiplier,
                }))
            })?
            .into())
    }
}

/// Limits how strong guidance may make the result.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RenormCFG",
    category = "advanced/model",
    module = "comfy_extras.nodes_lumina2",
    v3
)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the inputs"
)]
pub struct RenormCfg {
    /// The model.
    model: Model,
    /// Only below this noise level is there guidance.
    #[input(default = 100.0, min = 0.0, max = 100.0, step = 0.01)]
    cfg_trunc: f64,
    /// How strong the result may be beside the positive prompt alone; 0 sets no limit.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01)]
    renorm_cfg: f64,
}

impl Node for RenormCfg {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| {
                hooks.with_function(Arc::new(RenormalizedGuidance {
                    below_sigma: self.cfg_trunc,
                    limit: self.renorm_cfg,
                }))
            })?
            .into())
    }
}

/// Takes only that part of the negative prompt away that does not contradict the positive one. The guider of this name does it in fewer calls.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PerpNeg",
    name = "Perp-Neg (DEPRECATED by PerpNegGuider)",
    category = "_for_testing",
    module = "comfy_extras.nodes_perpneg",
    v3,
    experimental,
    deprecated
)]
pub struct PerpNeg {
    /// The model.
    model: Model,
    /// An empty prompt, against which both are measured.
    empty_conditioning: Conditioning,
    /// How much of the negative prompt is taken away.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01)]
    neg_scale: f64,
}

impl Node for PerpNeg {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let function = PerpendicularFunction {
            empty: self.empty_conditioning.0,
            negative_scale: self.neg_scale,
        };
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_function(Arc::new(function)))?
            .into())
    }
}

/// Scales the negative prediction so that it fits the positive one best, which helps in the first steps.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CFGZeroStar",
    category = "advanced/guidance",
    module = "comfy_extras.nodes_cfg",
    v3
)]
pub struct CfgZeroStar {
    /// The model.
    model: Model,
}

impl Node for CfgZeroStar {
    type Output = PatchedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PatchedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_after(Arc::new(ZeroStar)))?
            .into())
    }
}

/// Limits the result at each place to the strength that the positive prompt has there.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CFGNorm",
    category = "advanced/guidance",
    module = "comfy_extras.nodes_cfg",
    v3,
    experimental
)]
pub struct CfgNorm {
    /// The model.
    model: Model,
    /// A factor on the result.
    #[input(default = 1.0, min = 0.0, max = 100.0, step = 0.01)]
    strength: f64,
}

impl Node for CfgNorm {
    type Output = PatchedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PatchedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| {
                hooks.with_after(Arc::new(LimitedNorm {
                    strength: self.strength,
                }))
            })?
            .into())
    }
}

/// Guidance that damps what only makes colours stronger, so that high scales stay natural.
#[derive(Debug, NodeSpec)]
#[node(
    id = "APG",
    name = "Adaptive Projected Guidance",
    category = "sampling/custom_sampling",
    module = "comfy_extras.nodes_apg",
    v3
)]
pub struct AdaptiveProjectedGuidance {
    /// The model.
    model: Model,
    /// What is left of the part along the positive prompt; 1 is plain guidance.
    #[input(default = 1.0, min = -10.0, max = 10.0, step = 0.01)]
    eta: f64,
    /// The limit of guidance; 0 sets none.
    #[input(default = 5.0, min = 0.0, max = 50.0, step = 0.1)]
    norm_threshold: f64,
    /// How much earlier steps count; negative values push away from them, and 0 leaves them out.
    #[input(default = 0.0, min = -5.0, max = 1.0, step = 0.01)]
    momentum: f64,
}

impl Node for AdaptiveProjectedGuidance {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let guidance = ProjectedGuidance::new(self.eta, self.norm_threshold, self.momentum);
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_before(Arc::new(guidance)))?
            .into())
    }
}

/// Takes from the negative prediction what points elsewhere than the positive one.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TCFG",
    name = "Tangential Damping CFG",
    category = "advanced/guidance",
    module = "comfy_extras.nodes_tcfg",
    v3
)]
pub struct Tcfg {
    /// The model.
    model: Model,
}

impl Node for Tcfg {
    type Output = PatchedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PatchedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_before(Arc::new(TangentialDamping)))?
            .into())
    }
}

/// Scales coarse and fine structures of guidance differently.
#[derive(Debug, NodeSpec)]
#[node(
    id = "FreSca",
    name = "FreSca",
    category = "_for_testing",
    module = "comfy_extras.nodes_fresca",
    v3,
    experimental
)]
pub struct FreSca {
    /// The model.
    model: Model,
    /// The factor of coarse structures.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    scale_low: f64,
    /// The factor of fine structures.
    #[input(default = 1.25, min = 0.0, max = 10.0, step = 0.01)]
    scale_high: f64,
    /// How many frequencies count as coarse.
    #[input(default = 20u32, min = 1u32, max = 10000u32, step = 1u32)]
    freq_cutoff: u32,
}

impl Node for FreSca {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| {
                hooks.with_before(Arc::new(FrequencyScale {
                    low: self.scale_low,
                    high: self.scale_high,
                    cutoff: self.freq_cutoff as usize,
                }))
            })?
            .into())
    }
}

/// Goes more by the direction of the positive prompt where the negative one resembles it.
#[derive(Debug, NodeSpec)]
#[node(
    id = "Mahiro",
    name = "Mahiro is so cute that she deserves a better guidance function!! (。・ω・。)",
    category = "_for_testing",
    module = "comfy_extras.nodes_mahiro",
    v3,
    experimental
)]
pub struct Mahiro {
    /// The model.
    model: Model,
}

impl Node for Mahiro {
    type Output = PatchedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PatchedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_after(Arc::new(MahiroGuidance)))?
            .into())
    }
}

/// Divides the noise that the model predicts by a number, against an error that grows from step to step.
#[derive(Debug, NodeSpec)]
#[node(
    id = "Epsilon Scaling",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_eps",
    v3
)]
pub struct EpsilonScaling {
    /// The model.
    model: Model,
    /// The number. Slightly above 1 gives more detail.
    #[input(
        default = 1.005,
        min = 0.5,
        max = 1.5,
        step = 0.001,
        display = "number"
    )]
    scaling_factor: f64,
}

impl Node for EpsilonScaling {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let factor = if self.scaling_factor == 0.0 {
            1e-9
        } else {
            self.scaling_factor
        };
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_after(Arc::new(EpsilonScale { factor })))?
            .into())
    }
}

/// Goes away from what the model sees when its attention is blinded. Costs half as much time again.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PerturbedAttentionGuidance",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_pag",
    v3
)]
pub struct PerturbedAttentionGuidance {
    /// The model.
    model: Model,
    /// How far to go away.
    #[input(default = 3.0, min = 0.0, max = 100.0, step = 0.01, round = 0.01)]
    scale: f64,
}

impl Node for PerturbedAttentionGuidance {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| {
                hooks.with_after(Arc::new(PerturbedAttention { scale: self.scale }))
            })?
            .into())
    }
}

/// Goes away from a picture that is blurred where the model looks most. Costs half as much time again.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SelfAttentionGuidance",
    name = "Self-Attention Guidance",
    category = "_for_testing",
    module = "comfy_extras.nodes_sag",
    v3,
    experimental
)]
pub struct SelfAttentionGuidance {
    /// The model.
    model: Model,
    /// How far to go away.
    #[input(default = 0.5, min = -2.0, max = 5.0, step = 0.01)]
    scale: f64,
    /// How strong the blur is.
    #[input(default = 2.0, min = 0.0, max = 10.0, step = 0.1)]
    blur_sigma: f64,
}

impl Node for SelfAttentionGuidance {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| BlurGuidance::new(self.scale, self.blur_sigma).install(hooks))?
            .into())
    }
}
