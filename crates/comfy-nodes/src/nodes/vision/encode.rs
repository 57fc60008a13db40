//! `CLIPVisionLoader` and `CLIPVisionEncode`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{ClipVision, ClipVisionName, Image, WhatPicturesShow};

/// Opens an image encoder, which says what pictures show.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPVisionLoader",
    name = "Load CLIP Vision",
    category = "loaders",
    module = "nodes"
)]
pub struct ClipVisionLoader {
    /// A file in the folder `models/clip_vision`.
    clip_name: ClipVisionName,
}

/// The result of [`ClipVisionLoader`].
#[derive(Debug, Outputs)]
pub struct LoadedClipVision {
    /// The image encoder.
    #[output(name = "CLIP_VISION")]
    clip_vision: ClipVision,
}

impl Node for ClipVisionLoader {
    type Output = LoadedClipVision;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedClipVision, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let name = self.clip_name.0;
        let path = runtime
            .folders()
            .find("clip_vision", &name)
            .map_err(from_folders)?;
        let vision = comfy_diffusion::ClipVision::open(&path, &runtime.device()?);
        Ok(LoadedClipVision {
            clip_vision: ClipVision::new(Some(vision.map_err(from_diffusion)?), &name),
        })
    }
}

/// How pictures become square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum SquareBy {
    /// What lies outside of the middle is cut off.
    #[choice("center")]
    Center,
    /// They are squeezed.
    #[choice("none")]
    None,
}

/// Says what pictures show, in vectors.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPVisionEncode",
    name = "CLIP Vision Encode",
    category = "conditioning",
    module = "nodes"
)]
pub struct ClipVisionEncode {
    /// The image encoder.
    clip_vision: ClipVision,
    /// The pictures.
    image: Image,
    /// Whether pictures that are not square are cut to the middle or squeezed.
    crop: SquareBy,
}

/// The result of [`ClipVisionEncode`].
#[derive(Debug, Outputs)]
pub struct EncodedPictures {
    /// What the pictures show.
    #[output(name = "CLIP_VISION_OUTPUT")]
    output: WhatPicturesShow,
}

impl Node for ClipVisionEncode {
    type Output = EncodedPictures;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedPictures, NodeError> {
        let vision = self.clip_vision.get()?;
        let crop = self.crop == SquareBy::Center;
        let encoding = vision.encode(self.image.tensor(), crop);
        Ok(EncodedPictures {
            output: WhatPicturesShow(encoding.map_err(from_diffusion)?),
        })
    }
}
