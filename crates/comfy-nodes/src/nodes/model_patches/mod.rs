//! Nodes that change a model but for its weights.

mod attention;
mod caches;
mod compute_type;
mod guidance;
mod host;
mod network;
mod sampling;

use comfy_graph::{NodeRegistry, Outputs, RegistryError};

pub use attention::*;
pub use caches::*;
pub use compute_type::*;
pub use guidance::*;
pub use host::*;
pub use network::*;
pub use sampling::*;

use crate::sockets::Model;

/// The result of a node that changes a model.
#[derive(Debug, Outputs)]
pub struct ChangedModel {
    /// The changed model.
    #[output(name = "MODEL")]
    pub model: Model,
}

impl From<Model> for ChangedModel {
    fn from(model: Model) -> Self {
        Self { model }
    }
}

/// The same under another name.
#[derive(Debug, Outputs)]
pub struct PatchedModel {
    /// The changed model.
    #[output(name = "patched_model")]
    pub model: Model,
}

impl From<Model> for PatchedModel {
    fn from(model: Model) -> Self {
        Self { model }
    }
}

/// Registers the classes of this module.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ModelSamplingDiscrete>()?
        .register::<ModelSamplingContinuousEdm>()?
        .register::<ModelSamplingContinuousV>()?
        .register::<RescaleCfg>()?
        .register::<RenormCfg>()?
        .register::<PerpNeg>()?
        .register::<CfgZeroStar>()?
        .register::<CfgNorm>()?
        .register::<AdaptiveProjectedGuidance>()?
        .register::<Tcfg>()?
        .register::<FreSca>()?
        .register::<Mahiro>()?
        .register::<EpsilonScaling>()?
        .register::<PerturbedAttentionGuidance>()?
        .register::<SelfAttentionGuidance>()?
        .register::<FreeU>()?
        .register::<FreeUV2>()?
        .register::<HyperTile>()?
        .register::<TomePatchModel>()?
        .register::<UnetSelfAttentionMultiply>()?
        .register::<UnetCrossAttentionMultiply>()?
        .register::<ClipAttentionMultiply>()?
        .register::<UnetTemporalAttentionMultiply>()?
        .register::<DifferentialDiffusion>()?
        .register::<PatchModelAddDownscale>()?
        .register::<LatentApplyOperationCfg>()?
        .register::<EasyCache>()?
        .register::<LazyCache>()?
        .register::<ModelComputeDtype>()?;
    Ok(())
}
