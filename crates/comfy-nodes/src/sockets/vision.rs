//! Networks that say what pictures show, and what they say.

use std::sync::Arc;

use comfy_diffusion::models::clip_vision::PictureEncoding;
use comfy_graph::{NodeError, Socket};

/// A network that says what pictures show; nothing where the file `source` has none, which is an error only when it is used.
#[derive(Debug, Clone)]
pub struct ClipVision {
    handle: Option<comfy_diffusion::ClipVision>,
    source: Arc<str>,
}

impl Socket for ClipVision {
    const TYPE: &'static str = "CLIP_VISION";
}

impl ClipVision {
    /// A handle, or nothing.
    pub fn new(handle: Option<comfy_diffusion::ClipVision>, source: &str) -> Self {
        Self {
            handle,
            source: source.into(),
        }
    }

    /// The handle.
    pub fn get(&self) -> Result<&comfy_diffusion::ClipVision, NodeError> {
        self.handle.as_ref().ok_or_else(|| {
            NodeError::runtime(format_args!(
                "expected a file with an image encoder, but '{}' has none",
                self.source
            ))
        })
    }
}

/// What pictures show, in vectors.
#[derive(Debug, Clone)]
pub struct WhatPicturesShow(pub PictureEncoding);

impl Socket for WhatPicturesShow {
    const TYPE: &'static str = "CLIP_VISION_OUTPUT";

    fn size(&self) -> usize {
        let PictureEncoding {
            last,
            penultimate,
            summary,
        } = &self.0;
        let values = last.dims().iter().product::<usize>()
            + penultimate.dims().iter().product::<usize>()
            + summary.dims().iter().product::<usize>();
        values * size_of::<f32>()
    }
}

/// A network that turns what pictures show into words of a prompt.
#[derive(Debug, Clone)]
pub struct StyleModel(pub comfy_diffusion::StyleModel);

impl Socket for StyleModel {
    const TYPE: &'static str = "STYLE_MODEL";
}

/// A network that puts the person of a picture into a prompt.
#[derive(Debug, Clone)]
pub struct PhotoMaker(pub comfy_diffusion::PhotoMaker);

impl Socket for PhotoMaker {
    const TYPE: &'static str = "PHOTOMAKER";
}
