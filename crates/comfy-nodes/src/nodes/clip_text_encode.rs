//! `CLIPTextEncode`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::from_diffusion;
use crate::sockets::{Clip, Conditioning};

/// Turns a prompt into conditioning, which tells a diffusion model what to show or, as the negative, what to avoid.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPTextEncode",
    name = "CLIP Text Encode (Prompt)",
    category = "conditioning",
    module = "nodes"
)]
pub struct ClipTextEncode {
    /// The prompt. (Words in parentheses) count more, (words:0.8) by the given factor, and embedding:name inserts a learned word.
    #[input(multiline, dynamic_prompts)]
    text: String,
    /// The text encoder that reads the prompt.
    clip: Clip,
}

/// The result of [`ClipTextEncode`].
#[derive(Debug, Outputs)]
pub struct EncodedPrompt {
    /// The prompt as the diffusion model understands it.
    #[output(name = "CONDITIONING")]
    conditioning: Conditioning,
}

impl From<Conditioning> for EncodedPrompt {
    fn from(conditioning: Conditioning) -> Self {
        Self { conditioning }
    }
}

impl Node for ClipTextEncode {
    type Output = EncodedPrompt;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedPrompt, NodeError> {
        let clip = self.clip.get()?;
        let tokens = clip.tokenize(&self.text).map_err(from_diffusion)?;
        Ok(EncodedPrompt {
            conditioning: Conditioning(clip.conditions(&tokens).map_err(from_diffusion)?),
        })
    }
}
