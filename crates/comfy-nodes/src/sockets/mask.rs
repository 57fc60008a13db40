//! Masks.

use burn::tensor::{Tensor, TensorData};
use comfy_graph::{NodeError, Socket};

use super::transfer::{bytes_of, host_device, on_host, values_of};

/// A batch of masks, `[batch, height, width]`, 0 to 1, in the host's memory. What 1 means is up to the node that takes it;
/// usually the part that is to be changed.
#[derive(Debug, Clone)]
pub struct Mask(Tensor<3>);

impl Socket for Mask {
    const TYPE: &'static str = "MASK";

    fn describe(&self) -> String {
        format!("{} {:?}", Self::TYPE, self.0.dims())
    }

    fn size(&self) -> usize {
        bytes_of(&self.0)
    }
}

impl Mask {
    /// Takes a tensor `[batch, height, width]` from any device.
    pub fn new(tensor: Tensor<3>) -> Result<Self, NodeError> {
        on_host(tensor).map(Self)
    }

    /// Takes values in row-major order. Fails when their number is not that of the shape.
    pub fn from_values(values: Vec<f32>, shape: [usize; 3]) -> Result<Self, NodeError> {
        let expected = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size));
        if expected != Some(values.len()) {
            return Err(NodeError::value(format_args!(
                "expected the values of a mask of shape {shape:?}, got {}",
                values.len()
            )));
        }
        Ok(Self(Tensor::from_data(
            TensorData::new(values, shape),
            &host_device(),
        )))
    }

    /// The tensor, in the host's memory.
    pub fn tensor(&self) -> &Tensor<3> {
        &self.0
    }

    /// Batch, height, width.
    pub fn shape(&self) -> [usize; 3] {
        self.0.dims()
    }

    /// The values in row-major order.
    pub fn values(&self) -> Result<Vec<f32>, NodeError> {
        values_of(self.0.clone())
    }
}
