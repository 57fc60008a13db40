//! `SaveAnimatedWEBP`.

use comfy_graph::{
    Choice, ExtraPngInfo, Finish, Node, NodeContext, NodeError, NodeSpec, PromptJson,
};
use serde_json::json;

use crate::nodes::saving::{AnimationFile, bytes_of, save_animation};
use crate::pictures::{WebpOptions, encode_webp};
use crate::sockets::Image;

/// How much time the encoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum WebpMethod {
    /// A fair share.
    #[choice("default")]
    Default,
    /// As little as possible.
    #[choice("fastest")]
    Fastest,
    /// As much as it likes, for the smallest file.
    #[choice("slowest")]
    Slowest,
}

/// Saves a batch of pictures as one animated WebP in the output directory. The prompt is stored in the file.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SaveAnimatedWEBP",
    category = "image/animation",
    module = "comfy_extras.nodes_images",
    output_node
)]
pub struct SaveAnimatedWebp {
    /// The pictures, in the order in which they are shown.
    images: Image,
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "ComfyUI")]
    filename_prefix: String,
    /// Pictures a second.
    #[input(default = 6.0, min = 0.01, max = 1000.0, step = 0.01)]
    fps: f64,
    /// Whether every pixel is kept as it is. The file is larger then.
    #[input(default = true)]
    lossless: bool,
    /// The quality of a file that is not lossless; of a lossless one, how hard to compress.
    #[input(default = 80u32, min = 0u32, max = 100u32)]
    quality: u32,
    /// How much time the encoder takes for a smaller file.
    method: WebpMethod,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for SaveAnimatedWebp {
    type Output = Finish;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
        Ok(Finish::new(move |context| {
            let pictures = bytes_of(&self.images)?;
            let file = AnimationFile {
                prefix: &self.filename_prefix,
                ending: "webp",
                prompt: &self.prompt,
                extra: &self.extra_pnginfo,
            };
            let options = WebpOptions {
                lossless: self.lossless,
                quality: self.quality.min(100) as f32,
                method: match self.method {
                    WebpMethod::Default => 4,
                    WebpMethod::Fastest => 0,
                    WebpMethod::Slowest => 6,
                },
            };
            save_animation(context, &pictures, self.fps, &file, |frames, texts| {
                encode_webp(frames, texts, options)
            })?;
            context.add_ui("animated", json!(pictures.shape[0] != 1));
            Ok(())
        }))
    }
}
