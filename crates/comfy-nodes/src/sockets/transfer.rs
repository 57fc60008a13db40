//! Moving tensors between the host and the device that computes.

use burn::tensor::{Device, Tensor, TensorData};
use comfy_diffusion::device::ComputeDevice;
use comfy_graph::NodeError;

/// The device of tensors in the host's memory.
pub fn host_device() -> Device {
    Device::flex()
}

/// The values of a tensor in row-major order, from wherever it is. Waits for the device.
pub fn values_of<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, NodeError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        NodeError::runtime(format_args!(
            "cannot read a tensor from its device: {error}"
        ))
    };
    let data = tensor.try_into_data().map_err(|error| unreadable(&error))?;
    data.convert::<f32>()
        .try_into_vec()
        .map_err(|error| unreadable(&error))
}

/// The tensor in the host's memory.
pub fn on_host<const D: usize>(tensor: Tensor<D>) -> Result<Tensor<D>, NodeError> {
    moved(tensor, &host_device())
}

/// The tensor on a device, for use in a computation there.
pub fn on_device<const D: usize>(
    tensor: Tensor<D>,
    device: &ComputeDevice,
) -> Result<Tensor<D>, NodeError> {
    moved(tensor, device.tensor_device())
}

fn moved<const D: usize>(tensor: Tensor<D>, device: &Device) -> Result<Tensor<D>, NodeError> {
    if tensor.device() == *device {
        return Ok(tensor);
    }
    let shape = tensor.dims();
    Ok(Tensor::from_data(
        TensorData::new(values_of(tensor)?, shape),
        device,
    ))
}

/// The bytes that a tensor's values take.
pub(crate) fn bytes_of<const D: usize>(tensor: &Tensor<D>) -> usize {
    tensor.shape().num_elements() * tensor.dtype().size()
}
