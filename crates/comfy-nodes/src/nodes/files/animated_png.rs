//! `SaveAnimatedPNG`.

use comfy_graph::{ExtraPngInfo, Finish, Node, NodeContext, NodeError, NodeSpec, PromptJson};
use serde_json::json;

use crate::nodes::saving::{AnimationFile, bytes_of, save_animation};
use crate::pictures::encode_animated_png;
use crate::sockets::Image;

/// Saves a batch of pictures as one animated PNG in the output directory. The prompt is stored in the file.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SaveAnimatedPNG",
    category = "image/animation",
    module = "comfy_extras.nodes_images",
    output_node
)]
pub struct SaveAnimatedPng {
    /// The pictures, in the order in which they are shown.
    images: Image,
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "ComfyUI")]
    filename_prefix: String,
    /// Pictures a second.
    #[input(default = 6.0, min = 0.01, max = 1000.0, step = 0.01)]
    fps: f64,
    /// How hard to compress: 0 not at all, 9 as much as possible.
    #[input(default = 4u32, min = 0u32, max = 9u32)]
    compress_level: u32,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for SaveAnimatedPng {
    type Output = Finish;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        Ok(Finish::new(move |context| {
            let pictures = bytes_of(&self.images)?;
            let file = AnimationFile {
                prefix: &self.filename_prefix,
                ending: "png",
                prompt: &self.prompt,
                extra: &self.extra_pnginfo,
            };
            let level = self.compress_level.min(9) as u8;
            save_animation(context, &pictures, self.fps, &file, |frames, texts| {
                encode_animated_png(frames, texts, level)
            })?;
            context.add_ui("animated", json!(true));
            Ok(())
        }))
    }
}
