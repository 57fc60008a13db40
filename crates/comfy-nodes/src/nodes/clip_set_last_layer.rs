//! `CLIPSetLastLayer`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::sockets::Clip;

/// Makes a text encoder stop some layers before its end. Many anime models were trained on the last layer but one: -2, often
/// called "clip skip 2".
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPSetLastLayer",
    name = "CLIP Set Last Layer",
    category = "conditioning",
    module = "nodes"
)]
pub struct ClipSetLastLayer {
    /// The text encoder.
    clip: Clip,
    /// The layer whose output is used, counted from the end; -1 is the last.
    #[input(default = -1, min = -24, max = -1, step = 1)]
    stop_at_clip_layer: i32,
}

/// The result of [`ClipSetLastLayer`].
#[derive(Debug, Outputs)]
pub struct LimitedClip {
    /// The same text encoder, stopping at the chosen layer.
    #[output(name = "CLIP")]
    clip: Clip,
}

impl Node for ClipSetLastLayer {
    type Output = LimitedClip;

    fn run(self, _: &mut NodeContext<'_>) -> Result<LimitedClip, NodeError> {
        let clip = self
            .clip
            .map(|clip| clip.with_last_layer(self.stop_at_clip_layer))?;
        Ok(LimitedClip { clip })
    }
}
