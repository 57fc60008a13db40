//! `LoadImageMask`.

use comfy_graph::{
    Choice, Constants, Json, Node, NodeContext, NodeError, NodeSpec, Outputs, Services,
};

use crate::nodes::input_file;
use crate::runtime::Runtime;
use crate::sockets::{InputFile, Mask};

/// A channel of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum MaskChannel {
    /// What is transparent.
    #[choice("alpha")]
    Alpha,
    /// Red.
    #[choice("red")]
    Red,
    /// Green.
    #[choice("green")]
    Green,
    /// Blue.
    #[choice("blue")]
    Blue,
}

/// Loads one channel of a picture as a mask.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoadImageMask",
    name = "Load Image (as Mask)",
    category = "mask",
    module = "nodes"
)]
pub struct LoadImageMask {
    /// The file to load. A name that ends in [output] or [temp] is looked for in that directory.
    #[input(image_upload)]
    image: InputFile,
    /// Which channel to take. With "alpha" the mask is 1 where the picture is transparent; a colour is taken as it is.
    channel: MaskChannel,
}

/// The result of [`LoadImageMask`].
#[derive(Debug, Outputs)]
pub struct LoadedMask {
    /// The mask, of the picture's size.
    #[output(name = "MASK")]
    mask: Mask,
}

impl Node for LoadImageMask {
    type Output = LoadedMask;

    const HAS_FINGERPRINT: bool = true;
    const CHECKS: &'static [&'static str] = &["image"];

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedMask, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let picture = input_file::picture(runtime.folders(), &self.image.0)?;
        let Some(frame) = picture.frames.first() else {
            return Err(NodeError::value(
                "expected a picture with at least one frame",
            ));
        };
        let units = |byte: u8| f32::from(byte) / 255.0;
        let colour = |channel| {
            let pixels = frame.rgb.chunks_exact(3);
            pixels.map(|pixel| units(pixel[channel])).collect()
        };
        let values: Vec<f32> = match self.channel {
            MaskChannel::Red => colour(0),
            MaskChannel::Green => colour(1),
            MaskChannel::Blue => colour(2),
            MaskChannel::Alpha => match frame.opacity() {
                Some(alpha) => alpha.iter().map(|byte| 1.0 - units(*byte)).collect(),
                None => vec![0.0; frame.width * frame.height],
            },
        };
        Ok(LoadedMask {
            mask: Mask::from_values(values, [1, frame.height, frame.width])?,
        })
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        input_file::fingerprint(constants, services, "image")
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        input_file::check(constants, services, "image", "image")
    }
}
