//! Nodes that merge models and save them.

mod blocks;
mod extract;
mod save;
mod whole;

use comfy_graph::{NodeRegistry, RegistryError};

pub use blocks::ModelMergeBlocks;
pub use extract::{LoraSave, LoraType};
pub use save::{CheckpointSave, ClipSave, ModelSave, VaeSave};
pub use whole::{
    ClipMergeAdd, ClipMergeSimple, ClipMergeSubtract, MergedClip, ModelMergeAdd, ModelMergeSimple,
    ModelMergeSubtract,
};

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ModelMergeSimple>()?
        .register::<ModelMergeBlocks>()?
        .register::<ModelMergeSubtract>()?
        .register::<ModelMergeAdd>()?
        .register::<CheckpointSave>()?
        .register::<ClipMergeSimple>()?
        .register::<ClipMergeSubtract>()?
        .register::<ClipMergeAdd>()?
        .register::<ClipSave>()?
        .register::<VaeSave>()?
        .register::<ModelSave>()?
        .register::<LoraSave>()?;
    blocks::register(registry)
}
