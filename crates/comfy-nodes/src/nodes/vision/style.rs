//! `StyleModelLoader` and `StyleModelApply`.

use burn::tensor::Tensor;
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::nodes::conditioning::ChangedConditioning;
use crate::runtime::Runtime;
use crate::sockets::{Conditioning, StyleModel, StyleModelName, WhatPicturesShow};

/// Opens a model that turns what pictures show into words of a prompt.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StyleModelLoader",
    name = "Load Style Model",
    category = "loaders",
    module = "nodes"
)]
pub struct StyleModelLoader {
    /// A file in the folder `models/style_models`.
    style_model_name: StyleModelName,
}

/// The result of [`StyleModelLoader`].
#[derive(Debug, Outputs)]
pub struct LoadedStyleModel {
    /// The style model.
    #[output(name = "STYLE_MODEL")]
    style_model: StyleModel,
}

impl Node for StyleModelLoader {
    type Output = LoadedStyleModel;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedStyleModel, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("style_models", &self.style_model_name.0)
            .map_err(from_folders)?;
        let model = comfy_diffusion::StyleModel::open(&path, &runtime.device()?);
        Ok(LoadedStyleModel {
            style_model: StyleModel(model.map_err(from_diffusion)?),
        })
    }
}

/// What the strength does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum StyleStrength {
    /// The new words are multiplied with it.
    #[choice("multiply")]
    Multiply,
    /// Attention to the new words is multiplied with it, in networks that can; others leave the words as they are.
    #[choice("attn_bias")]
    Attention,
}

/// Adds to prompts what pictures show, as words that only the network understands.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StyleModelApply",
    name = "Apply Style Model",
    category = "conditioning/style_model",
    module = "nodes"
)]
pub struct StyleModelApply {
    /// The prompts.
    conditioning: Conditioning,
    /// The style model.
    style_model: StyleModel,
    /// What the pictures show.
    clip_vision_output: WhatPicturesShow,
    /// How much the pictures count.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.001)]
    strength: f64,
    /// What the strength does.
    strength_type: StyleStrength,
}

impl Node for StyleModelApply {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let words = self.style_model.0.words(&self.clip_vision_output.0);
        let words = words.map_err(from_diffusion)?;
        // The networks known here have no bias of attention.
        let words = match self.strength_type {
            StyleStrength::Multiply => words * self.strength,
            StyleStrength::Attention => words,
        };
        let [_, count, width] = words.dims();
        if let Some(other) = self
            .conditioning
            .0
            .iter()
            .find(|prompt| prompt.cond.dims()[2] != width)
        {
            return Err(NodeError::value(format_args!(
                "the style model makes words of {width} features, but the prompt has words of {}",
                other.cond.dims()[2]
            )));
        }
        let changed = self.conditioning.map(|prompt| {
            let rows = prompt.cond.dims()[0];
            let words = words.clone().to_device(&prompt.cond.device());
            let words = words.expand([rows, count, width]);
            prompt.cond = Tensor::cat(vec![prompt.cond.clone(), words], 1);
        });
        Ok(changed.into())
    }
}
