//! `LoadImage`.

use comfy_graph::{Constants, Json, Node, NodeContext, NodeError, NodeSpec, Outputs, Services};

use super::input_file;
use crate::pictures::Picture;
use crate::resize::units_from_bytes;
use crate::runtime::Runtime;
use crate::sockets::{Image, InputImage, Mask};

/// The side of the mask of a picture without opacity.
pub(super) const EMPTY_MASK_SIDE: usize = 64;

/// Loads a picture from the input directory. An animation gives all of its frames as a batch.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoadImage",
    name = "Load Image",
    category = "image",
    module = "nodes"
)]
pub struct LoadImage {
    /// The file to load. A name that ends in [output] or [temp] is looked for in that directory.
    #[input(image_upload)]
    image: InputImage,
}

/// The result of [`LoadImage`].
#[derive(Debug, Outputs)]
pub struct LoadedImage {
    /// The picture, without its opacity.
    #[output(name = "IMAGE")]
    pub(super) image: Image,
    /// 1 where the picture is transparent. A picture without opacity gives an empty mask of 64 by 64 pixels.
    #[output(name = "MASK")]
    mask: Mask,
}

impl Node for LoadImage {
    type Output = LoadedImage;

    const HAS_FINGERPRINT: bool = true;
    const CHECKS: &'static [&'static str] = &["image"];

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedImage, NodeError> {
        let runtime = context.service::<Runtime>()?;
        loaded(&input_file::picture(runtime.folders(), &self.image.0)?)
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        input_file::fingerprint(constants, services, "image")
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        input_file::check(constants, services, "image", "image")
    }
}

/// All frames of a picture, and their masks.
pub(super) fn loaded(picture: &Picture) -> Result<LoadedImage, NodeError> {
    let count = picture.frames.len();
    let Some(first) = picture.frames.first() else {
        return Err(NodeError::value(
            "expected a picture with at least one frame",
        ));
    };
    let (height, width) = (first.height, first.width);
    let out_of_memory = || {
        NodeError::OutOfMemory(format!(
            "cannot hold {count} pictures of {width}x{height} pixels"
        ))
    };
    let mut values: Vec<f32> = Vec::new();
    values
        .try_reserve_exact(count * height * width * 3)
        .map_err(|_| out_of_memory())?;
    for frame in &picture.frames {
        values.extend(frame.rgb.iter().map(|&byte| f32::from(byte) / 255.0));
    }
    let mask = if first.alpha.is_some() {
        let alpha = picture
            .frames
            .iter()
            .filter_map(|frame| frame.alpha.as_deref());
        let mask = alpha.flat_map(|alpha| {
            units_from_bytes(alpha)
                .into_iter()
                .map(|opacity| 1.0 - opacity)
        });
        Mask::from_values(mask.collect(), [count, height, width])?
    } else {
        Mask::from_values(
            vec![0.0; count * EMPTY_MASK_SIDE * EMPTY_MASK_SIDE],
            [count, EMPTY_MASK_SIDE, EMPTY_MASK_SIDE],
        )?
    };
    Ok(LoadedImage {
        image: Image::from_values(values, [count, height, width, 3])?,
        mask,
    })
}
