//! Residual blocks.

use burn::tensor::Tensor;

use super::{EPSILON, GROUPS};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Addend, Conv2d, Geometry, GroupNorm, Linear};
use crate::weights::Scope;

/// Two convolutions, each after a norm and `silu`; the embedding of the time is added between them, the input after them.
#[derive(Debug)]
pub(super) struct ResidualBlock {
    first_norm: GroupNorm,
    first: Conv2d,
    /// From the activated time embedding to one value for each channel.
    embedding: Linear,
    second_norm: GroupNorm,
    second: Conv2d,
    /// Where the number of channels changes.
    skip: Option<Conv2d>,
}

impl ResidualBlock {
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let norm = |name: &str| GroupNorm::load(&scope.enter(name), GROUPS, EPSILON, device);
        let convolution = |name: &str| {
            let [.., kernel] = scope.dims::<4>(&format!("{name}.weight"))?;
            Conv2d::load(&scope.enter(name), Geometry::same(kernel), device)
        };
        Ok(Self {
            first_norm: norm("in_layers.0")?,
            first: convolution("in_layers.2")?,
            embedding: Linear::load(&scope.enter("emb_layers.1"), device)?,
            second_norm: norm("out_layers.0")?,
            second: convolution("out_layers.3")?,
            skip: scope
                .has("skip_connection.weight")
                .then(|| convolution("skip_connection"))
                .transpose()?,
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.first_norm.channels()
    }

    pub(super) fn outputs(&self) -> usize {
        self.second.outputs()
    }

    /// Whether the sizes within the block fit each other and an embedding of this width.
    pub(super) fn check(&self, scope: &Scope, embedding: usize) -> Result<()> {
        let (inputs, outputs) = (self.inputs(), self.outputs());
        let hidden = self.first.outputs();
        let (skip_inputs, skip_outputs) = match &self.skip {
            Some(skip) => (skip.inputs(), skip.outputs()),
            None => (inputs, inputs),
        };
        let pairs = [
            ("in_layers.2.weight", self.first.inputs(), inputs),
            ("emb_layers.1.weight", self.embedding.inputs(), embedding),
            ("emb_layers.1.weight", self.embedding.outputs(), hidden),
            ("out_layers.0.weight", self.second_norm.channels(), hidden),
            ("out_layers.3.weight", self.second.inputs(), hidden),
            ("skip_connection.weight", skip_inputs, inputs),
            ("skip_connection.weight", skip_outputs, outputs),
        ];
        match pairs.iter().find(|(_, found, expected)| found != expected) {
            None => Ok(()),
            Some((name, found, expected)) => Err(Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: format!(
                    "{} has {found} where the rest of its block has {expected}",
                    scope.full_name(name)
                ),
            }),
        }
    }

    /// `x` is `[batch, inputs, height, width]`, `embedding` the activated time embedding.
    pub(super) fn forward(&self, x: Tensor<4>, embedding: &Tensor<2>) -> Tensor<4> {
        let per_channel = self.embedding.forward_rows(embedding.clone());
        let hidden = self.first.forward_add(
            self.first_norm.forward_silu(x.clone()),
            Addend {
                per_channel: Some(per_channel),
                image: None,
            },
        );
        let hidden = self.second_norm.forward_silu(hidden);
        let residual = match &self.skip {
            Some(skip) => skip.forward(x),
            None => x,
        };
        self.second.forward_add(
            hidden,
            Addend {
                per_channel: None,
                image: Some(residual),
            },
        )
    }
}
