//! Nodes for what only some families of models know.

mod sdxl_text;

use comfy_graph::{NodeRegistry, RegistryError};

pub use sdxl_text::{ClipTextEncodeSdxl, ClipTextEncodeSdxlRefiner};

/// Registers the nodes.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ClipTextEncodeSdxl>()?
        .register::<ClipTextEncodeSdxlRefiner>()?;
    Ok(())
}
