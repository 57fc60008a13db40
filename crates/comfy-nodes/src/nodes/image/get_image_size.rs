//! `GetImageSize`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs, UniqueId};

use crate::sockets::Image;

/// Tells how large pictures are and how many there are.
#[derive(Debug, NodeSpec)]
#[node(
    id = "GetImageSize",
    name = "Get Image Size",
    category = "image",
    module = "comfy_extras.nodes_images"
)]
pub struct GetImageSize {
    /// The pictures to measure.
    image: Image,
    /// The node at which the size is shown.
    #[expect(dead_code, reason = "the context knows it; the schema must declare it")]
    unique_id: UniqueId,
}

/// The result of [`GetImageSize`].
#[derive(Debug, PartialEq, Eq, Outputs)]
pub struct ImageSize {
    /// Width in pixels.
    width: u32,
    /// Height in pixels.
    height: u32,
    /// Number of pictures.
    batch_size: u32,
}

impl Node for GetImageSize {
    type Output = ImageSize;

    fn run(self, context: &mut NodeContext<'_>) -> Result<ImageSize, NodeError> {
        let [batch, height, width, _] = self.image.shape();
        // The words and the space are ComfyUI's: programs read them.
        context.show_text(&format!(
            "width: {width}, height: {height}\n batch size: {batch}"
        ));
        Ok(ImageSize {
            width: width as u32,
            height: height as u32,
            batch_size: batch as u32,
        })
    }
}
