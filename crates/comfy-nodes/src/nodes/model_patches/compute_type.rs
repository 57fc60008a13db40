//! `ModelComputeDtype`.

use comfy_diffusion::weights::Rounding;
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::ChangedModel;
use crate::sockets::Model;

/// The numbers that a network computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum ComputeType {
    /// Those that fit the weights.
    #[choice("default")]
    Default,
    /// 32 bits.
    #[choice("fp32")]
    Single,
    /// 16 bits (IEEE half).
    #[choice("fp16")]
    Half,
    /// 16 bits with the exponent of 32.
    #[choice("bf16")]
    Brain,
}

/// Sets the numbers that a model computes with, to see what they do to pictures. Its weights are rounded to them; sums are made in 32 bits
/// in any case.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelComputeDtype",
    name = "ModelComputeDtype",
    category = "advanced/debug/model",
    module = "comfy_extras.nodes_model_advanced"
)]
pub struct ModelComputeDtype {
    /// The model.
    model: Model,
    /// The numbers.
    dtype: ComputeType,
}

impl Node for ModelComputeDtype {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let rounding = match self.dtype {
            ComputeType::Default | ComputeType::Single => Rounding::None,
            ComputeType::Half => Rounding::Half,
            ComputeType::Brain => Rounding::Brain,
        };
        Ok(self.model.map(|model| model.rounded(rounding))?.into())
    }
}
