//! Nodes that steer a model by pictures or by places.

mod apply;
mod gligen;
mod load;
mod text;
mod union;

use comfy_graph::{NodeRegistry, RegistryError};

pub use apply::*;
pub use gligen::*;
pub use load::*;
pub use text::*;
pub use union::*;

/// Registers the classes of this module.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ControlNetLoader>()?
        .register::<DiffControlNetLoader>()?
        .register::<ControlNetApply>()?
        .register::<ControlNetApplyAdvanced>()?
        .register::<ControlNetApplySd3>()?
        .register::<ControlNetInpaintingAliMamaApply>()?
        .register::<SetUnionControlNetType>()?
        .register::<ClipTextEncodeControlnet>()?
        .register::<GligenLoader>()?
        .register::<GligenTextBoxApply>()?;
    Ok(())
}
