//! Activations. On graphics devices they are worked out in `f32`, whatever they are given; the conversions are fused with them.

use burn::tensor::{DType, Tensor, activation};

use super::host;
use super::profile::timed;
use super::strategy::{Kernels, Strategies};
use super::within;

/// `x · sigmoid(x)`, also called swish.
pub fn silu<const D: usize>(strategies: &Strategies, x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    timed(
        || format!("silu {shape:?}"),
        || match strategies.kernels {
            Kernels::Host => host::silu(x),
            Kernels::Burn => within(DType::F32, x, activation::silu),
        },
    )
}

/// `x · Φ(x)` with the exact normal distribution (the error function), not its approximation by tanh.
pub fn gelu<const D: usize>(strategies: &Strategies, x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    timed(
        || format!("gelu {shape:?}"),
        || match strategies.kernels {
            Kernels::Host => host::gelu(x),
            Kernels::Burn => within(DType::F32, x, activation::gelu),
        },
    )
}

/// `x · sigmoid(1.702 · x)`, the approximation of [`gelu`] that the first CLIP models were trained with.
pub fn quick_gelu<const D: usize>(strategies: &Strategies, x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    timed(
        || format!("quick gelu {shape:?}"),
        || match strategies.kernels {
            Kernels::Host => host::quick_gelu(x),
            Kernels::Burn => within(DType::F32, x, |x| {
                x.clone() * activation::sigmoid(x * 1.702)
            }),
        },
    )
}

/// The gated linear unit of Shazeer 2020 with [`gelu`]: of `[batch, tokens, 2 · width]`, the first half times the activated
/// second half, `[batch, tokens, width]`.
pub fn geglu(strategies: &Strategies, x: Tensor<3>) -> Tensor<3> {
    let shape = x.dims();
    timed(
        || format!("geglu {shape:?}"),
        || match strategies.kernels {
            Kernels::Host => host::geglu(x),
            Kernels::Burn => {
                let width = x.dims()[2] / 2;
                let halves = (x.clone().narrow(2, 0, width), x.narrow(2, width, width));
                within(DType::F32, halves, |(kept, gate)| {
                    kept * activation::gelu(gate)
                })
            }
        },
    )
}
