//! `SetClipHooks`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::nodes::ChangedClip;
use crate::sockets::{Clip, Hooks};

/// Lets hooks change a text encoder, and the prompts that it encodes carry them.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SetClipHooks",
    name = "Set CLIP Hooks",
    category = "advanced/hooks/clip",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct SetClipHooks {
    /// The text encoder.
    clip: Clip,
    /// Whether prompts carry the hooks, so that they change the diffusion model as well.
    #[input(default = true)]
    apply_to_conds: bool,
    /// Whether prompts are encoded anew wherever a keyframe of the hooks begins; without this, keyframes do not count for the encoder.
    #[input(default = false)]
    schedule_clip: bool,
    /// The hooks.
    hooks: Option<Hooks>,
}

impl Node for SetClipHooks {
    type Output = ChangedClip;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedClip, NodeError> {
        let Some(Hooks(hooks)) = self.hooks else {
            return Ok(self.clip.into());
        };
        let changed = self
            .clip
            .map(|clip| clip.with_hooks(&hooks, self.schedule_clip, self.apply_to_conds))?;
        Ok(changed.into())
    }
}
