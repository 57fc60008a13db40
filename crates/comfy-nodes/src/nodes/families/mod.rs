//! Nodes for what only some families of models know: sizes in the conditioning, pictures beside the latent.

mod beside;
mod sdxl_text;

use comfy_graph::{NodeRegistry, RegistryError};

pub use beside::{ConditionedLatent, InpaintModelConditioning, InstructPixToPixConditioning};
pub use sdxl_text::{ClipTextEncodeSdxl, ClipTextEncodeSdxlRefiner};

/// Registers the nodes.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ClipTextEncodeSdxl>()?
        .register::<ClipTextEncodeSdxlRefiner>()?
        .register::<InpaintModelConditioning>()?
        .register::<InstructPixToPixConditioning>()?;
    Ok(())
}
