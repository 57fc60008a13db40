//! `UNetSelfAttentionMultiply`, `UNetCrossAttentionMultiply`, `UNetTemporalAttentionMultiply` and `CLIPAttentionMultiply`.

use comfy_diffusion::models::hooks::AttentionKind;
use comfy_diffusion::patches::AttentionScale;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedModel;
use super::network::inside;
use crate::nodes::ChangedClip;
use crate::sockets::{Clip, Model};

/// Scales the attention of the picture to itself.
#[derive(Debug, NodeSpec)]
#[node(
    id = "UNetSelfAttentionMultiply",
    category = "_for_testing/attention_experiments",
    module = "comfy_extras.nodes_attention_multiply",
    v3,
    experimental
)]
pub struct UnetSelfAttentionMultiply {
    /// The model.
    model: Model,
    /// The factor of what asks.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    q: f64,
    /// The factor of what is asked.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    k: f64,
    /// The factor of what answers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    v: f64,
    /// The factor of the result.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    out: f64,
}

impl Node for UnetSelfAttentionMultiply {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let hook = AttentionScale {
            kind: AttentionKind::ToItself,
            query: self.q,
            key: self.k,
            value: self.v,
            output: self.out,
        };
        Ok(self.model.with_hooks(|hooks| inside(hooks, hook))?.into())
    }
}

/// Scales the attention of the picture to the prompt.
#[derive(Debug, NodeSpec)]
#[node(
    id = "UNetCrossAttentionMultiply",
    category = "_for_testing/attention_experiments",
    module = "comfy_extras.nodes_attention_multiply",
    v3,
    experimental
)]
pub struct UnetCrossAttentionMultiply {
    /// The model.
    model: Model,
    /// The factor of what asks.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    q: f64,
    /// The factor of what is asked.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    k: f64,
    /// The factor of what answers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    v: f64,
    /// The factor of the result.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    out: f64,
}

impl Node for UnetCrossAttentionMultiply {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let hook = AttentionScale {
            kind: AttentionKind::ToText,
            query: self.q,
            key: self.k,
            value: self.v,
            output: self.out,
        };
        Ok(self.model.with_hooks(|hooks| inside(hooks, hook))?.into())
    }
}

/// Scales the results of attention, in networks for videos apart within a picture and along time. The networks known here have only the
/// former.
#[derive(Debug, NodeSpec)]
#[node(
    id = "UNetTemporalAttentionMultiply",
    category = "_for_testing/attention_experiments",
    module = "comfy_extras.nodes_attention_multiply",
    v3,
    experimental
)]
pub struct UnetTemporalAttentionMultiply {
    /// The model.
    model: Model,
    /// The factor of the attention of a picture to itself.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    self_structural: f64,
    /// The factor of the attention of a place to itself at other times; without effect on networks for pictures.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    #[expect(dead_code, reason = "the networks here have no time")]
    self_temporal: f64,
    /// The factor of the attention of a picture to the prompt.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    cross_structural: f64,
    /// The factor of the attention along time to the prompt; without effect on networks for pictures.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    #[expect(dead_code, reason = "the networks here have no time")]
    cross_temporal: f64,
}

impl Node for UnetTemporalAttentionMultiply {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let scale = |kind, output| AttentionScale {
            kind,
            query: 1.0,
            key: 1.0,
            value: 1.0,
            output,
        };
        let own = scale(AttentionKind::ToItself, self.self_structural);
        let to_text = scale(AttentionKind::ToText, self.cross_structural);
        Ok(self
            .model
            .with_hooks(|hooks| inside(inside(hooks, own), to_text))?
            .into())
    }
}

/// Scales the attention of a text encoder.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPAttentionMultiply",
    category = "_for_testing/attention_experiments",
    module = "comfy_extras.nodes_attention_multiply",
    v3,
    experimental
)]
pub struct ClipAttentionMultiply {
    /// The text encoder.
    clip: Clip,
    /// The factor of what asks.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    q: f64,
    /// The factor of what is asked.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    k: f64,
    /// The factor of what answers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    v: f64,
    /// The factor of the result.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    out: f64,
}

impl Node for ClipAttentionMultiply {
    type Output = ChangedClip;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedClip, NodeError> {
        let factors = [self.q, self.k, self.v, self.out];
        Ok(self.clip.map(|clip| clip.with_attention(factors))?.into())
    }
}
