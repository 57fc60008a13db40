//! Prompts from other prompts: `ConditioningAverage`, `ConditioningCombine`, `ConditioningConcat` and `ConditioningZeroOut`.

use burn::tensor::Tensor;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedConditioning;
use crate::sockets::Conditioning;

/// Mixes two prompts into one between them.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningAverage",
    name = "ConditioningAverage",
    category = "conditioning",
    module = "nodes"
)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the inputs"
)]
pub struct ConditioningAverage {
    /// The prompt that is there at a strength of 1. Its length and its other properties stay.
    conditioning_to: Conditioning,
    /// The prompt that is there at a strength of 0. Of several only the first counts.
    conditioning_from: Conditioning,
    /// How much of the first prompt there is.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    conditioning_to_strength: f64,
}

impl Node for ConditioningAverage {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let from = first(&self.conditioning_from)?;
        let strength = self.conditioning_to_strength;
        for to in &self.conditioning_to.0 {
            check_width(&to.cond, &from.cond)?;
        }
        let averaged = self.conditioning_to.map(|to| {
            let other = fitted(&from.cond, to.cond.dims()[1]);
            to.cond = to.cond.clone().mul_scalar(strength) + other.mul_scalar(1.0 - strength);
            to.pooled = match (to.pooled.take(), &from.pooled) {
                (Some(own), Some(other)) => {
                    Some(own.mul_scalar(strength) + other.clone().mul_scalar(1.0 - strength))
                }
                // What only one of them has is taken as it is.
                (own, other) => own.or_else(|| other.clone()),
            };
        });
        Ok(averaged.into())
    }
}

/// A text of `tokens` tokens: cut off, or filled up with zeros.
fn fitted(text: &Tensor<3>, tokens: usize) -> Tensor<3> {
    let [texts, present, width] = text.dims();
    if present >= tokens {
        return text.clone().narrow(1, 0, tokens);
    }
    let zeros = Tensor::zeros([texts, tokens - present, width], &text.device());
    Tensor::cat(vec![text.clone(), zeros], 1)
}

/// Puts several prompts side by side: each is asked of the model by itself, and the answers are averaged.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningCombine",
    name = "Conditioning (Combine)",
    category = "conditioning",
    module = "nodes"
)]
pub struct ConditioningCombine {
    /// The first prompts.
    conditioning_1: Conditioning,
    /// The further prompts.
    conditioning_2: Conditioning,
}

impl Node for ConditioningCombine {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let mut prompts = self.conditioning_1.0;
        prompts.extend(self.conditioning_2.0);
        Ok(Conditioning(prompts).into())
    }
}

/// Makes one longer prompt of two.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningConcat",
    name = "Conditioning (Concat)",
    category = "conditioning",
    module = "nodes"
)]
pub struct ConditioningConcat {
    /// The prompt that comes first. Its other properties stay.
    conditioning_to: Conditioning,
    /// The prompt that is appended. Of several only the first counts.
    conditioning_from: Conditioning,
}

impl Node for ConditioningConcat {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let from = first(&self.conditioning_from)?;
        for to in &self.conditioning_to.0 {
            check_width(&to.cond, &from.cond)?;
        }
        let longer = self.conditioning_to.map(|to| {
            to.cond = Tensor::cat(vec![to.cond.clone(), from.cond.clone()], 1);
        });
        Ok(longer.into())
    }
}

/// Empties prompts: every number of them becomes 0, which says less than an empty text.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningZeroOut",
    name = "ConditioningZeroOut",
    category = "advanced/conditioning",
    module = "nodes"
)]
pub struct ConditioningZeroOut {
    /// The prompts.
    conditioning: Conditioning,
}

impl Node for ConditioningZeroOut {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let empty = self.conditioning.map(|prompt| {
            prompt.cond = prompt.cond.zeros_like();
            prompt.pooled = prompt.pooled.as_ref().map(Tensor::zeros_like);
        });
        Ok(empty.into())
    }
}

fn first(
    conditioning: &Conditioning,
) -> Result<&comfy_diffusion::sampling::Conditioning, NodeError> {
    if conditioning.0.len() > 1 {
        tracing::warn!(
            count = conditioning.0.len(),
            "of several prompts only the first counts"
        );
    }
    conditioning.0.first().ok_or_else(|| {
        NodeError::value("expected at least one prompt in conditioning_from, got none")
    })
}

/// That two texts may be added or joined.
fn check_width(to: &Tensor<3>, from: &Tensor<3>) -> Result<(), NodeError> {
    let ([texts, _, width], [other_texts, _, other_width]) = (to.dims(), from.dims());
    if width == other_width && (texts == other_texts || texts == 1 || other_texts == 1) {
        return Ok(());
    }
    Err(NodeError::value(format_args!(
        "expected prompts of one text encoder, got shapes {:?} and {:?}",
        to.dims(),
        from.dims()
    )))
}
