//! `SaveImageWebsocket`.

use comfy_graph::{
    Constants, Json, Node, NodeContext, NodeError, NodeSpec, Preview, PreviewFormat, Services,
    python_json,
};

use crate::errors::from_writing;
use crate::nodes::saving::bytes_of;
use crate::pictures::{Compression, encode_png};
use crate::sockets::Image;

/// Sends pictures to the client as PNG over its websocket, in full size and without metadata, and stores nothing.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SaveImageWebsocket",
    category = "api/image",
    module = "custom_nodes.websocket_image_save",
    output_node
)]
pub struct SaveImageWebsocket {
    /// The pictures to send.
    images: Image,
}

impl Node for SaveImageWebsocket {
    type Output = ();

    const HAS_FINGERPRINT: bool = true;

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let pictures = bytes_of(&self.images)?;
        let [count, height, width, channels] = pictures.shape;
        for (index, picture) in pictures.members().enumerate() {
            let bytes = encode_png(picture, width, height, channels, &[], Compression::Fast)
                .map_err(from_writing)?;
            let preview = Preview {
                format: PreviewFormat::Png,
                bytes,
            };
            context.progress_with_preview(index as u64, count as u64, Some(preview))?;
        }
        Ok(())
    }

    /// Pictures are sent with every prompt, known or not.
    fn fingerprint(_: &Constants<'_>, _: &Services) -> Result<Json, NodeError> {
        Ok(python_json::nan())
    }
}
