//! `CLIPTextEncodeSDXL` and `CLIPTextEncodeSDXLRefiner`.

use comfy_diffusion::sampling::LabelHints;
use comfy_diffusion::text::{Clip as Encoder, Tokens};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::errors::from_diffusion;
use crate::nodes::EncodedPrompt;
use crate::sockets::{Clip, Conditioning};

/// Turns prompts into conditioning for Stable Diffusion XL, with a prompt for each of its two text encoders, and tells the model the
/// sizes that the picture seems to come from.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPTextEncodeSDXL",
    category = "advanced/conditioning",
    module = "comfy_extras.nodes_clip_sdxl",
    v3
)]
pub struct ClipTextEncodeSdxl {
    /// The text encoder that reads the prompts.
    clip: Clip,
    /// The width the picture seems to have had before training; small ones make it look blown up.
    #[input(default = 1024, min = 0, max = 16384)]
    width: i64,
    /// The height the picture seems to have had before training.
    #[input(default = 1024, min = 0, max = 16384)]
    height: i64,
    /// How many pixels seem to have been cut off on the left.
    #[input(default = 0, min = 0, max = 16384)]
    crop_w: i64,
    /// How many pixels seem to have been cut off at the top.
    #[input(default = 0, min = 0, max = 16384)]
    crop_h: i64,
    /// The width of the picture in training.
    #[input(default = 1024, min = 0, max = 16384)]
    target_width: i64,
    /// The height of the picture in training.
    #[input(default = 1024, min = 0, max = 16384)]
    target_height: i64,
    /// The prompt for OpenCLIP's bigG.
    #[input(multiline, dynamic_prompts)]
    text_g: String,
    /// The prompt for CLIP-L.
    #[input(multiline, dynamic_prompts)]
    text_l: String,
}

impl Node for ClipTextEncodeSdxl {
    type Output = EncodedPrompt;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedPrompt, NodeError> {
        let clip = self.clip.get()?;
        let tokens = clip
            .tokenize_each(&[("clip_l", &self.text_l), ("clip_g", &self.text_g)])
            .map_err(from_diffusion)?;
        let hints = LabelHints {
            width: Some(self.width as f64),
            height: Some(self.height as f64),
            crop_width: Some(self.crop_w as f64),
            crop_height: Some(self.crop_h as f64),
            target_width: Some(self.target_width as f64),
            target_height: Some(self.target_height as f64),
            ..LabelHints::default()
        };
        told(clip, &tokens, &hints)
    }
}

/// The conditions of a text, with what the model is told besides.
fn told(clip: &Encoder, tokens: &Tokens, hints: &LabelHints) -> Result<EncodedPrompt, NodeError> {
    let conditions = clip.conditions(tokens).map_err(from_diffusion)?;
    let told = Conditioning(conditions).map(|condition| condition.hints = hints.clone());
    Ok(told.into())
}

/// Turns a prompt into conditioning for the refiner of Stable Diffusion XL, and tells it how well the picture should please.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPTextEncodeSDXLRefiner",
    category = "advanced/conditioning",
    module = "comfy_extras.nodes_clip_sdxl",
    v3
)]
pub struct ClipTextEncodeSdxlRefiner {
    /// How well people would like the picture: 6 is good, 2.5 is bad.
    #[input(default = 6.0, min = 0.0, max = 1000.0, step = 0.01)]
    ascore: f64,
    /// The width the picture seems to have had before training.
    #[input(default = 1024, min = 0, max = 16384)]
    width: i64,
    /// The height the picture seems to have had before training.
    #[input(default = 1024, min = 0, max = 16384)]
    height: i64,
    /// The prompt.
    #[input(multiline, dynamic_prompts)]
    text: String,
    /// The text encoder that reads the prompt.
    clip: Clip,
}

impl Node for ClipTextEncodeSdxlRefiner {
    type Output = EncodedPrompt;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedPrompt, NodeError> {
        let clip = self.clip.get()?;
        let tokens = clip.tokenize(&self.text).map_err(from_diffusion)?;
        let hints = LabelHints {
            width: Some(self.width as f64),
            height: Some(self.height as f64),
            aesthetic_score: Some(self.ascore),
            ..LabelHints::default()
        };
        told(clip, &tokens, &hints)
    }
}
