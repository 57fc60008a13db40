//! Between tensors and plain values.

use burn::tensor::{Device, Tensor, TensorData};

use crate::Result;
use crate::device::failed;

/// The values of a tensor, row by row.
pub(super) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor
        .try_into_vec_as()
        .map_err(|error| failed("read a tensor", &error.to_string()))
}

/// A tensor of `shape` with these values.
pub(super) fn from_values<const D: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}
