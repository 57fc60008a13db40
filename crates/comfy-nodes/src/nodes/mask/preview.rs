//! `MaskPreview`.

use comfy_graph::{ExtraPngInfo, Finish, Node, NodeContext, NodeError, NodeSpec, PromptJson};

use super::convert::grey;
use crate::nodes::preview_image::preview;
use crate::sockets::Mask;

/// Shows masks as grey pictures without keeping them: they go to the temporary directory, which is emptied when the server starts.
#[derive(Debug, NodeSpec)]
#[node(
    id = "MaskPreview",
    name = "MaskPreview",
    category = "mask",
    module = "comfy_extras.nodes_mask",
    output_node
)]
pub struct MaskPreview {
    /// The masks to show.
    mask: Mask,
    /// The prompt to store in the files.
    prompt: PromptJson,
    /// The client's metadata to store in the files.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for MaskPreview {
    type Output = Finish;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        let images = grey(&self.mask)?;
        Ok(preview(context, images, self.prompt, self.extra_pnginfo))
    }
}
