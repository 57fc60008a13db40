//! Nodes that change and join encoded prompts.

mod area;
mod join;
mod range;

use comfy_graph::{NodeRegistry, Outputs, RegistryError};

pub use area::*;
pub use join::*;
pub use range::*;

use crate::sockets::Conditioning;

/// The result of a node that changes a prompt.
#[derive(Debug, Outputs)]
pub struct ChangedConditioning {
    /// The encoded prompt.
    #[output(name = "CONDITIONING")]
    pub conditioning: Conditioning,
}

impl From<Conditioning> for ChangedConditioning {
    fn from(conditioning: Conditioning) -> Self {
        Self { conditioning }
    }
}

/// Registers the classes of this module.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ConditioningAverage>()?
        .register::<ConditioningCombine>()?
        .register::<ConditioningConcat>()?
        .register::<ConditioningZeroOut>()?
        .register::<ConditioningSetArea>()?
        .register::<ConditioningSetAreaPercentage>()?
        .register::<ConditioningSetAreaStrength>()?
        .register::<ConditioningSetMask>()?
        .register::<ConditioningSetTimestepRange>()?
        .register::<ConditioningTimestepsRange>()?;
    Ok(())
}
