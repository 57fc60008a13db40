//! Guidance away from what the model sees without self-attention in the middle of the network.
//!
//! Source: D. Ahn et al., "Self-rectifying diffusion sampling with perturbed-attention guidance" (2024), equation 16.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::models::hooks::{
    AttentionFunction, AttentionInput, AttentionKind, AttentionPlace, AttentionSite, Part, Place,
};
use crate::ops::Strategies;
use crate::sampling::hooks::AfterGuidance;
use crate::sampling::{Moment, Predictions};
use crate::{Error, Result};

/// One more call of the network under the positive conditions, in which every token of the middle looks at itself alone.
#[derive(Clone, Copy, Debug)]
pub struct PerturbedAttention {
    /// How far to go away from it; 0 makes no call.
    pub scale: f64,
}

/// Attention in which every token sees itself alone.
#[derive(Clone, Copy, Debug)]
struct Identity;

impl AttentionFunction for Identity {
    fn attend(
        &self,
        _: &AttentionSite<'_>,
        input: AttentionInput,
        _: usize,
        _: &Strategies,
    ) -> Result<Tensor<3>> {
        if input.value.dims() == input.query.dims() {
            return Ok(input.value);
        }
        Err(Error::input(format!(
            "perturbed attention needs as many values as queries, got {:?} and {:?}; another patch of the model changed them",
            input.value.dims(),
            input.query.dims()
        )))
    }
}

impl AfterGuidance for PerturbedAttention {
    fn adjust(
        &self,
        moment: &Moment<'_>,
        predictions: &Predictions,
        x0: Tensor<4>,
    ) -> Result<Tensor<4>> {
        if self.scale == 0.0 {
            return Ok(x0);
        }
        let middle = AttentionPlace {
            kind: AttentionKind::ToItself,
            place: Place {
                part: Part::Middle,
                stage: 0,
            },
            block: None,
        };
        let hooks = moment
            .network_hooks()
            .clone()
            .with_attention(middle, Arc::new(Identity));
        let [perturbed] = moment.predict_with(&hooks, moment.x(), [predictions.lists[0]])?;
        Ok(x0 + (predictions.positive.clone() - perturbed).mul_scalar(self.scale))
    }
}
