//! Attention whose queries, keys, values or results are scaled.

use burn::tensor::Tensor;

use crate::Result;
use crate::models::hooks::{AttentionInput, AttentionKind, AttentionSite, NetworkHook};

/// Scales all attention of one kind, as if the weights of its projections were scaled.
#[derive(Clone, Copy, Debug)]
pub struct AttentionScale {
    /// Which attention.
    pub kind: AttentionKind,
    /// The factor of the queries.
    pub query: f64,
    /// The factor of the keys.
    pub key: f64,
    /// The factor of the values.
    pub value: f64,
    /// The factor of the results.
    pub output: f64,
}

impl NetworkHook for AttentionScale {
    fn before_attention(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
    ) -> Result<AttentionInput> {
        if site.kind != self.kind {
            return Ok(input);
        }
        // These projections add nothing, so that it does not matter on which side of them the factors are.
        Ok(AttentionInput {
            query: input.query.mul_scalar(self.query),
            key: input.key.mul_scalar(self.key),
            value: input.value.mul_scalar(self.value),
        })
    }

    fn after_attention(&self, site: &AttentionSite<'_>, output: Tensor<3>) -> Result<Tensor<3>> {
        Ok(if site.kind == self.kind {
            output.mul_scalar(self.output)
        } else {
            output
        })
    }
}
