//! Perceptrons of one hidden layer.

use burn::tensor::Tensor;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{Linear, silu};
use crate::weights::Scope;

/// Two linear layers with `silu` between them.
#[derive(Debug)]
pub(super) struct Perceptron {
    first: Linear,
    second: Linear,
    device: ComputeDevice,
}

impl Perceptron {
    /// The layers `0` and `2` of a scope.
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        Self::load_named(scope, ["0", "2"], device)
    }

    pub(super) fn load_named(
        scope: &Scope,
        [first, second]: [&str; 2],
        device: &ComputeDevice,
    ) -> Result<Self> {
        let name = format!("{second}.weight");
        let first = Linear::load(&scope.enter(first), device)?;
        let second = Linear::load(&scope.enter(second), device)?;
        if second.inputs() != first.outputs() {
            let expected = format!("{} inputs", first.outputs());
            return Err(scope.shape_error(&name, expected, scope.shape(&name)?));
        }
        Ok(Self {
            first,
            second,
            device: device.clone(),
        })
    }

    pub(super) fn inputs(&self) -> usize {
        self.first.inputs()
    }

    pub(super) fn outputs(&self) -> usize {
        self.second.outputs()
    }

    pub(super) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = silu(self.device.strategies(), self.first.forward_rows(x));
        self.second.forward_rows(hidden)
    }
}
