//! Results that many nodes have.

use comfy_graph::Outputs;

use crate::sockets::{Clip, Image, Mask};

/// Pictures.
#[derive(Debug, Outputs)]
pub struct OneImage {
    /// The resulting pictures.
    #[output(name = "IMAGE")]
    pub image: Image,
}

/// Masks.
#[derive(Debug, Outputs)]
pub struct OneMask {
    /// The resulting masks.
    #[output(name = "MASK")]
    pub mask: Mask,
}

/// Pictures and masks.
#[derive(Debug, Outputs)]
pub struct ImageAndMask {
    /// The resulting pictures.
    #[output(name = "IMAGE")]
    pub image: Image,
    /// The masks that belong to them.
    #[output(name = "MASK")]
    pub mask: Mask,
}

/// The result of a node that changes a text encoder.
#[derive(Debug, Outputs)]
pub struct ChangedClip {
    /// The changed text encoder.
    #[output(name = "CLIP")]
    pub clip: Clip,
}

impl From<Clip> for ChangedClip {
    fn from(clip: Clip) -> Self {
        Self { clip }
    }
}

impl OneImage {
    /// Pictures from values `[batch, height, width, channel]`.
    pub(super) fn of(values: Vec<f32>, shape: [usize; 4]) -> Result<Self, comfy_graph::NodeError> {
        Ok(Self {
            image: Image::from_values(values, shape)?,
        })
    }
}

impl OneMask {
    /// Masks from values `[batch, height, width]`.
    pub(super) fn of(values: Vec<f32>, shape: [usize; 3]) -> Result<Self, comfy_graph::NodeError> {
        Ok(Self {
            mask: Mask::from_values(values, shape)?,
        })
    }
}
