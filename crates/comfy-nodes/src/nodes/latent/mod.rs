//! Nodes that change latents.

mod advanced;
mod batch;
mod blend;
mod composite;
mod composite_masked;
mod empty;
mod files;
mod inpaint;
mod join;
mod operations;
mod rebatch;
mod transform;
mod upscale;

use comfy_graph::{NodeRegistry, Outputs, RegistryError};

use crate::sockets::Latent;

pub use advanced::{LatentAdd, LatentInterpolate, LatentMultiply, LatentSubtract};
pub use batch::{
    LatentBatch, LatentBatchSeedBehavior, LatentFromBatch, RepeatLatentBatch, SeedBehavior,
};
pub use blend::LatentBlend;
pub use composite::LatentComposite;
pub use composite_masked::LatentCompositeMasked;
pub use empty::{
    CascadeLatents, EmptyChromaRadianceLatentImage, EmptyHunyuanImageLatent, EmptySd3LatentImage,
    StableCascadeEmptyLatentImage,
};
pub use files::{LoadLatent, SaveLatent};
pub(super) use inpaint::greyed;
pub use inpaint::{SetLatentNoiseMask, VaeEncodeForInpaint};
pub use join::{CutAxis, JoinAxis, LatentConcat, LatentCut};
pub use operations::{
    LatentApplyOperation, LatentOperationSharpen, LatentOperationTonemapReinhard, PreparedOperation,
};
pub use rebatch::{RebatchLatents, RebatchedLatents};
pub use transform::{FlipMethod, LatentCrop, LatentFlip, LatentRotate, Rotation};
pub use upscale::{
    BicubicFirst, BislerpFirst, LatentUpscale, LatentUpscaleBy, LatentUpscaleMethod,
};

/// The result of a node that changes a latent.
#[derive(Debug, Outputs)]
pub struct ChangedLatent {
    /// The latent after the change.
    #[output(name = "LATENT")]
    pub latent: Latent,
}

impl From<Latent> for ChangedLatent {
    fn from(latent: Latent) -> Self {
        Self { latent }
    }
}

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<VaeEncodeForInpaint>()?
        .register::<LatentUpscale>()?
        .register::<LatentUpscaleBy>()?
        .register::<LatentFromBatch>()?
        .register::<RepeatLatentBatch>()?
        .register::<SetLatentNoiseMask>()?
        .register::<LatentComposite>()?
        .register::<LatentBlend>()?
        .register::<LatentRotate>()?
        .register::<LatentFlip>()?
        .register::<LatentCrop>()?
        .register::<LoadLatent>()?
        .register::<SaveLatent>()?
        .register::<LatentAdd>()?
        .register::<LatentSubtract>()?
        .register::<LatentMultiply>()?
        .register::<LatentInterpolate>()?
        .register::<LatentConcat>()?
        .register::<LatentCut>()?
        .register::<LatentBatch>()?
        .register::<LatentBatchSeedBehavior>()?
        .register::<LatentApplyOperation>()?
        .register::<LatentOperationTonemapReinhard>()?
        .register::<LatentOperationSharpen>()?
        .register::<LatentCompositeMasked>()?
        .register::<RebatchLatents>()?
        .register::<StableCascadeEmptyLatentImage>()?
        .register::<EmptySd3LatentImage>()?
        .register::<EmptyHunyuanImageLatent>()?
        .register::<EmptyChromaRadianceLatentImage>()?;
    Ok(())
}

/// Python's `a // b` for a place in pixels and the size of a cell.
fn cells(pixels: i64) -> i64 {
    pixels.div_euclid(8)
}
