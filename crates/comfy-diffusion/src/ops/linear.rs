//! Linear layers.

use burn::tensor::Tensor;

use super::activation::geglu;
use super::host;
use super::profile::{Problem, timed};
use super::strategy::{Kernels, Strategies};
use super::{InElement, within};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::weights::Scope;

/// `y = x · Wᵀ + b`, on the last dimension.
///
/// A convolution with a kernel of one pixel is the same thing on the channels of an image, and is loaded as one.
///
/// On graphics devices it computes in the element type of its weights, and gives what it was given.
#[derive(Debug, Clone)]
pub struct Linear {
    /// `[outputs, inputs]`, as in the file.
    weight: Tensor<2>,
    /// `[outputs]`
    bias: Option<Tensor<1>>,
    strategies: Strategies,
}

impl Linear {
    /// A layer of weights `[outputs, inputs]` and a bias `[outputs]`, if there is one.
    pub fn new(weight: Tensor<2>, bias: Option<Tensor<1>>, strategies: Strategies) -> Self {
        Self {
            bias: bias.map(|bias| strategies.beside(bias, &weight)),
            weight,
            strategies,
        }
    }

    /// The layer at `scope`: `weight` as `[outputs, inputs]` or `[outputs, inputs, 1, 1]`, and `bias` if the file has one.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let weight = match *scope.shape("weight")? {
            [outputs, inputs] => scope.compact_tensor("weight", [outputs, inputs], device)?,
            [outputs, inputs, 1, 1] => scope
                .compact_tensor::<4>("weight", [outputs, inputs, 1, 1], device)?
                .reshape([outputs, inputs]),
            ref shape => {
                let expected = "[outputs, inputs] or [outputs, inputs, 1, 1]";
                return Err(scope.shape_error("weight", expected, shape));
            }
        };
        let [outputs, _] = weight.dims();
        let bias = scope.optional_tensor("bias", [outputs], device)?;
        Ok(Self::new(weight, bias, *device.strategies()))
    }

    /// The size of the last dimension that goes in.
    pub fn inputs(&self) -> usize {
        self.weight.dims()[1]
    }

    /// The size of the last dimension that comes out.
    pub fn outputs(&self) -> usize {
        self.weight.dims()[0]
    }

    /// `[batch, tokens, inputs]` to `[batch, tokens, outputs]`. A transposed view (an image read as tokens) is read in place on
    /// the processor.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.apply(x, None)
    }

    /// [`Linear::forward`] plus `residual`, which has the shape of the result.
    pub fn forward_add(&self, x: Tensor<3>, residual: Tensor<3>) -> Tensor<3> {
        self.apply(x, Some(residual))
    }

    fn apply(&self, x: Tensor<3>, residual: Option<Tensor<3>>) -> Tensor<3> {
        let problem = self.problem(&x, "");
        timed(problem, || self.compute(x, residual))
    }

    /// What a profile says of it.
    fn problem(&self, x: &Tensor<3>, more: &'static str) -> impl FnOnce() -> Problem + use<> {
        let ([batch, tokens, inputs], outputs) = (x.dims(), self.outputs());
        move || {
            let name = format!("linear {inputs} to {outputs}, {batch}×{tokens} tokens{more}");
            Problem::of_pairs(name, &[batch, tokens, inputs, outputs])
        }
    }

    fn compute(&self, x: Tensor<3>, residual: Option<Tensor<3>>) -> Tensor<3> {
        if self.strategies.kernels == Kernels::Host {
            return host::linear(
                &self.strategies.tile(),
                x,
                &self.weight,
                self.bias.as_ref(),
                residual,
            );
        }
        let [batch, tokens, inputs] = x.dims();
        let element = self.weight.element();
        within(element, x, |x| {
            let flat = x.reshape([batch * tokens, inputs]);
            let y = flat.matmul(self.weight.clone().transpose());
            let y = match &self.bias {
                Some(bias) => y + bias.clone().unsqueeze(),
                None => y,
            };
            let y = y.reshape([batch, tokens, self.outputs()]);
            match residual {
                Some(residual) => y + residual.in_element(element),
                None => y,
            }
        })
    }

    /// The gated linear unit [`geglu`] of what [`Linear::forward`] gives, `[batch, tokens, outputs / 2]`.
    pub fn forward_geglu(&self, x: Tensor<3>) -> Tensor<3> {
        if self.strategies.kernels != Kernels::Host {
            return geglu(&self.strategies, self.forward(x));
        }
        let problem = self.problem(&x, " gated");
        timed(problem, || {
            host::linear_geglu(&self.strategies.tile(), x, &self.weight, self.bias.as_ref())
        })
    }

    /// `[rows, inputs]` to `[rows, outputs]`.
    pub fn forward_rows(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = x.dims()[0];
        self.forward(x.unsqueeze()).reshape([rows, self.outputs()])
    }

    /// Tokens `[batch, tokens, inputs]` to channels `[batch, outputs, tokens]`, plus `residual` of that shape: the transposition
    /// back to an image costs nothing.
    pub fn forward_to_channels(&self, x: Tensor<3>, residual: Option<Tensor<3>>) -> Tensor<3> {
        let problem = self.problem(&x, "");
        timed(problem, || self.compute_to_channels(x, residual))
    }

    fn compute_to_channels(&self, x: Tensor<3>, residual: Option<Tensor<3>>) -> Tensor<3> {
        if self.strategies.kernels == Kernels::Host {
            return host::linear_to_channels(
                &self.strategies.tile(),
                x,
                &self.weight,
                self.bias.as_ref(),
                residual,
            );
        }
        let weight: Tensor<3> = self.weight.clone().unsqueeze();
        let (batch, element) = (x.dims()[0], weight.element());
        let weight = weight.expand([batch, self.outputs(), self.inputs()]);
        within(element, x, |x| {
            let y = weight.matmul(x.swap_dims(1, 2));
            let y = match &self.bias {
                Some(bias) => y + bias.clone().reshape([1, self.outputs(), 1]),
                None => y,
            };
            match residual {
                Some(residual) => y + residual.in_element(element),
                None => y,
            }
        })
    }
}
