//! `ModelMergeSimple`, `ModelMergeSubtract` and `ModelMergeAdd`, and the same of text encoders.

use comfy_diffusion::weights::patch::Blend;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::nodes::loaders::LoadedModel;
use crate::sockets::{Clip, Model};

/// The result of a node that merges text encoders.
#[derive(Debug, Outputs)]
pub struct MergedClip {
    /// The merged text encoder.
    #[output(name = "CLIP")]
    clip: Clip,
}

pub(super) fn merge_models(
    first: &Model,
    second: &Model,
    blend: Blend,
) -> Result<LoadedModel, NodeError> {
    let second = second.get()?.clone();
    Ok(LoadedModel {
        model: first.map(|first| first.merged(&second, blend))?,
    })
}

fn merge_clips(first: &Clip, second: &Clip, blend: &Blend) -> Result<MergedClip, NodeError> {
    let second = second.get()?.clone();
    Ok(MergedClip {
        clip: first.map(|first| first.merged(&second, blend))?,
    })
}

/// Makes one diffusion model of two. As much of the first as the ratio says, and the rest of the second.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelMergeSimple",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ModelMergeSimple {
    /// The first diffusion model.
    model1: Model,
    /// The second diffusion model. Only tensors that the first one has too count.
    model2: Model,
    /// How much of the first diffusion model there is in the result, from 0 for none to 1 for nothing else.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    ratio: f64,
}

impl Node for ModelMergeSimple {
    type Output = LoadedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        let [own, other] = Blend::ratio(self.ratio);
        let blend = Blend::all(own, other);
        merge_models(&self.model1, &self.model2, blend)
    }
}

/// Makes one diffusion model of two. What the second has is taken away from the first: a difference, which can be added to a third.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelMergeSubtract",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ModelMergeSubtract {
    /// The first diffusion model.
    model1: Model,
    /// The second diffusion model. Only tensors that the first one has too count.
    model2: Model,
    /// What the difference is multiplied with.
    #[input(default = 1.0, min = -10.0, max = 10.0, step = 0.01)]
    multiplier: f64,
}

impl Node for ModelMergeSubtract {
    type Output = LoadedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        let blend = Blend::all(self.multiplier, -self.multiplier);
        merge_models(&self.model1, &self.model2, blend)
    }
}

/// Makes one diffusion model of two. What the second has, mostly a difference, is added to the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelMergeAdd",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ModelMergeAdd {
    /// The first diffusion model.
    model1: Model,
    /// The second diffusion model. Only tensors that the first one has too count.
    model2: Model,
}

impl Node for ModelMergeAdd {
    type Output = LoadedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        let blend = Blend::all(1.0, 1.0);
        merge_models(&self.model1, &self.model2, blend)
    }
}

/// Makes one text encoder of two. As much of the first as the ratio says, and the rest of the second.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPMergeSimple",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ClipMergeSimple {
    /// The first text encoder.
    clip1: Clip,
    /// The second text encoder. Only tensors that the first one has too count.
    clip2: Clip,
    /// How much of the first text encoder there is in the result, from 0 for none to 1 for nothing else.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    ratio: f64,
}

impl Node for ClipMergeSimple {
    type Output = MergedClip;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MergedClip, NodeError> {
        let [own, other] = Blend::ratio(self.ratio);
        let blend = Blend::all(own, other);
        merge_clips(&self.clip1, &self.clip2, &blend)
    }
}

/// Makes one text encoder of two. What the second has is taken away from the first: a difference, which can be added to a third.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPMergeSubtract",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ClipMergeSubtract {
    /// The first text encoder.
    clip1: Clip,
    /// The second text encoder. Only tensors that the first one has too count.
    clip2: Clip,
    /// What the difference is multiplied with.
    #[input(default = 1.0, min = -10.0, max = 10.0, step = 0.01)]
    multiplier: f64,
}

impl Node for ClipMergeSubtract {
    type Output = MergedClip;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MergedClip, NodeError> {
        let blend = Blend::all(self.multiplier, -self.multiplier);
        merge_clips(&self.clip1, &self.clip2, &blend)
    }
}

/// Makes one text encoder of two. What the second has, mostly a difference, is added to the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPMergeAdd",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging"
)]
pub struct ClipMergeAdd {
    /// The first text encoder.
    clip1: Clip,
    /// The second text encoder. Only tensors that the first one has too count.
    clip2: Clip,
}

impl Node for ClipMergeAdd {
    type Output = MergedClip;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MergedClip, NodeError> {
        let blend = Blend::all(1.0, 1.0);
        merge_clips(&self.clip1, &self.clip2, &blend)
    }
}
