//! Nodes that look at pictures: image encoders, and what models make of their results.

mod encode;
mod photo_maker;
mod style;
mod unclip;

use comfy_graph::{NodeRegistry, RegistryError};

pub use encode::{ClipVisionEncode, ClipVisionLoader, EncodedPictures, LoadedClipVision};
pub use photo_maker::{LoadedPhotoMaker, PhotoMakerEncode, PhotoMakerLoader};
pub use style::{LoadedStyleModel, StyleModelApply, StyleModelLoader};
pub use unclip::{LoadedUnclip, UnclipCheckpointLoader, UnclipConditioning};

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ClipVisionLoader>()?
        .register::<ClipVisionEncode>()?
        .register::<UnclipCheckpointLoader>()?
        .register::<UnclipConditioning>()?
        .register::<StyleModelLoader>()?
        .register::<StyleModelApply>()?
        .register::<PhotoMakerLoader>()?
        .register::<PhotoMakerEncode>()?;
    Ok(())
}
