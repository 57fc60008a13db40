//! Operators on the processor, on the memory of burn's `flex` tensors.
//!
//! What is computed is in `comfy_kernels`, which knows slices alone; here tensors become slices and tasks. Weights may be 16-bit
//! floats, which are widened while a product copies them. Results are written in place where the input is not shared.

mod attention;
mod convolution;
mod elementwise;
mod linear;
mod norm;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData};
use comfy_kernels::{Matrix, Operand};
use half::{bf16, f16};

pub(super) use attention::attention;
pub(super) use convolution::convolve;
pub(super) use elementwise::{geglu, gelu, quick_gelu, silu, upsample_nearest_2x};
pub(super) use linear::{linear, linear_geglu, linear_to_channels};
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

/// Weights as they are kept, 16-bit or 32-bit floats, in C order.
fn stored<const D: usize>(weight: &Tensor<D>) -> FlexTensor {
    let weight = match weight.dtype() {
        DType::F16 | DType::BF16 | DType::F32 => weight.clone(),
        _ => weight.clone().cast(DType::F32),
    };
    weight
        .try_into_primitive::<Flex>()
        .expect("a device with host kernels holds flex tensors")
        .to_contiguous()
}

/// Weights as a matrix with a lane for each output.
fn by_output(weight: &FlexTensor, outputs: usize, depth: usize) -> Box<dyn Operand + '_> {
    const CONTIGUOUS: &str = "the tensor was made contiguous";
    match weight.dtype() {
        DType::F16 => {
            let values = weight.as_slice::<f16>().expect(CONTIGUOUS);
            Box::new(Matrix::dense(values, outputs, depth))
        }
        DType::BF16 => {
            let values = weight.as_slice::<bf16>().expect(CONTIGUOUS);
            Box::new(Matrix::dense(values, outputs, depth))
        }
        _ => Box::new(Matrix::dense(values(weight), outputs, depth)),
    }
}

/// The values of a tensor in C order, to be overwritten if nobody else holds them.
fn into_values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let x = contiguous(x);
    if x.is_unique() {
        owned(x)
    } else {
        values(&x).to_vec()
    }
}

/// The values of a contiguous tensor that nobody else holds.
fn owned(x: FlexTensor) -> Vec<f32> {
    x.into_data()
        .try_into_vec()
        .expect("the tensor holds f32 values")
}

/// A tensor of values in C order.
fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_primitive::<Flex>(FlexTensor::from_data(TensorData::new(values, shape)))
}
