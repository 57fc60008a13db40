//! `SaveImage`.

use comfy_graph::{ExtraPngInfo, Finish, Node, NodeContext, NodeError, NodeSpec, PromptJson};

use super::saving::{Destination, save_images};
use crate::folders::DirectoryKind;
use crate::pictures::Compression;
use crate::sockets::Image;

/// Saves pictures as PNG files in the output directory. The prompt is stored in each file, so that it can be opened as a
/// workflow again.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SaveImage",
    name = "Save Image",
    category = "image",
    module = "nodes",
    output_node
)]
pub struct SaveImage {
    /// The pictures to save.
    images: Image,
    /// The start of the file names. It may contain directories and patterns: `%width%`, `%height%`, `%year%`, `%month%`,
    /// `%day%`, `%hour%`, `%minute%`, `%second%`, `%batch_num%`.
    #[input(default = "ComfyUI")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for SaveImage {
    type Output = Finish;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        Ok(Finish::new(move |context| {
            let destination = Destination {
                directory: DirectoryKind::Output,
                prefix: &self.filename_prefix,
                compression: Compression::Balanced,
            };
            save_images(
                context,
                &self.images,
                &destination,
                &self.prompt,
                &self.extra_pnginfo,
            )
        }))
    }
}
