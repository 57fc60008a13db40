//! `CLIPTextEncodeControlnet`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::errors::from_diffusion;
use crate::nodes::ChangedConditioning;
use crate::sockets::{Clip, Conditioning};

/// Gives the control net of a prompt another text to read.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPTextEncodeControlnet",
    category = "_for_testing/conditioning",
    module = "comfy_extras.nodes_cond",
    v3,
    experimental
)]
pub struct ClipTextEncodeControlnet {
    /// The text encoder of the model.
    clip: Clip,
    /// The prompt.
    conditioning: Conditioning,
    /// What the control net reads.
    #[input(multiline, dynamic_prompts)]
    text: String,
}

impl Node for ClipTextEncodeControlnet {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let clip = self.clip.get()?;
        let encoded = clip.encode(&self.text).map_err(from_diffusion)?;
        let changed = self
            .conditioning
            .map(|prompt| prompt.control_cond = Some(encoded.cond.clone()));
        Ok(changed.into())
    }
}
