//! Activations.

use burn::tensor::{Tensor, activation};

use super::host;
use super::profile::timed;
use super::strategy::{Kernels, Strategies};

/// `x · sigmoid(x)`, also called swish.
pub fn silu<const D: usize>(strategies: &Strategies, x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    timed(
        || format!("silu {shape:?}"),
        || match strategies.kernels {
            Kernels::Host => host::silu(x),
            Kernels::Burn => activation::silu(x),
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
            Kernels::Burn => activation::gelu(x),
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
            Kernels::Burn => x.clone() * activation::sigmoid(x * 1.702),
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
                let gate = x.clone().narrow(2, width, width);
                x.narrow(2, 0, width) * activation::gelu(gate)
            }
        },
    )
}
