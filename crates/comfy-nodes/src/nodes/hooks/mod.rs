//! Changes of weights that count only for the prompts that carry them ("hooks"), and prompts with them.

mod combine;
mod create;
mod keyframes;
mod properties;
mod text;

use comfy_graph::{NodeRegistry, Outputs, RegistryError};

pub use combine::*;
pub use create::*;
pub use keyframes::*;
pub use properties::*;
pub use text::*;

use crate::sockets::Hooks;

/// The result of a node that makes hooks.
#[derive(Debug, Outputs)]
pub struct MadeHooks {
    /// The hooks.
    #[output(name = "HOOKS")]
    pub hooks: Hooks,
}

impl From<comfy_diffusion::weight_hooks::WeightHooks> for MadeHooks {
    fn from(hooks: comfy_diffusion::weight_hooks::WeightHooks) -> Self {
        Self {
            hooks: Hooks(hooks),
        }
    }
}

/// Registers the classes of this module.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<CreateHookLora>()?
        .register::<CreateHookLoraModelOnly>()?
        .register::<CreateHookModelAsLora>()?
        .register::<CreateHookModelAsLoraModelOnly>()?
        .register::<SetHookKeyframes>()?
        .register::<CreateHookKeyframe>()?
        .register::<CreateHookKeyframesInterpolated>()?
        .register::<CreateHookKeyframesFromFloats>()?
        .register::<CombineHooks2>()?
        .register::<CombineHooks4>()?
        .register::<CombineHooks8>()?
        .register::<ConditioningSetProperties>()?
        .register::<ConditioningSetPropertiesAndCombine>()?
        .register::<PairConditioningSetProperties>()?
        .register::<PairConditioningSetPropertiesAndCombine>()?
        .register::<ConditioningSetDefaultCombine>()?
        .register::<PairConditioningSetDefaultCombine>()?
        .register::<PairConditioningCombine>()?
        .register::<SetClipHooks>()?;
    Ok(())
}
