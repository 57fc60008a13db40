//! Operators on the processor, on the memory of burn's `flex` tensors.
//!
//! Everything computes in `f32` with the matrix product of the `gemm` crate, and elementwise loops that the compiler turns into
//! the widest instructions that the processor has. Results are written in place where the input is not shared.

mod attention;
mod convolution;
mod elementwise;
mod function;
mod gemm;
mod linear;
mod norm;
mod vectorise;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData};

pub(super) use attention::attention;
pub(super) use convolution::convolve;
pub(super) use elementwise::{geglu, gelu, quick_gelu, silu, upsample_nearest_2x};
pub(super) use linear::{linear, linear_to_channels};
pub(super) use norm::{Affine, group_norm, layer_norm};

/// How many values one task of an elementwise loop handles.
const GRAIN: usize = 1 << 14;

/// The CPU tensor below a tensor, as it lies in memory.
fn strided<const D: usize>(x: Tensor<D>) -> FlexTensor {
    let x = if x.dtype() == DType::F32 {
        x
    } else {
        x.cast(DType::F32)
    };
    x.try_into_primitive::<Flex>()
        .expect("a device with host kernels holds flex tensors")
}

/// The CPU tensor below a tensor, in C order.
fn contiguous<const D: usize>(x: Tensor<D>) -> FlexTensor {
    strided(x).to_contiguous()
}

/// The values of a tensor in C order.
fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice()
        .expect("the tensor was made contiguous, of f32")
}

/// The values of a tensor in C order, to be overwritten if nobody else holds them.
fn into_values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let x = contiguous(x);
    if x.is_unique() {
        x.into_data()
            .try_into_vec()
            .expect("the tensor holds f32 values")
    } else {
        values(&x).to_vec()
    }
}

/// A tensor of values in C order.
fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(FlexTensor::from_data(TensorData::new(values, shape)))
}
