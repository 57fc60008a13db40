//! Masks.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use comfy_graph::{NodeError, Socket};

use super::transfer::{host_device, values_of};

/// A batch of masks, `[batch, height, width]`, 0 to 1, in the host's memory. What 1 means is up to the node that takes it;
/// usually the part that is to be changed. Clones share the values.
#[derive(Clone)]
pub struct Mask {
    values: Arc<Vec<f32>>,
    shape: [usize; 3],
}

impl Socket for Mask {
    const TYPE: &'static str = "MASK";

    fn describe(&self) -> String {
        format!("{} {:?}", Self::TYPE, self.shape)
    }

    fn size(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Mask {:?}", self.shape)
    }
}

impl Mask {
    /// Takes a tensor `[batch, height, width]` from any device.
    pub fn new(tensor: Tensor<3>) -> Result<Self, NodeError> {
        let shape = tensor.dims();
        Self::from_values(values_of(tensor)?, shape)
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
        Ok(Self {
            values: Arc::new(values),
            shape,
        })
    }

    /// A copy as a tensor in the host's memory.
    pub fn tensor(&self) -> Tensor<3> {
        Tensor::from_data(
            TensorData::new(self.values.to_vec(), self.shape),
            &host_device(),
        )
    }

    /// Batch, height, width.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The values in row-major order.
    pub fn pixels(&self) -> &[f32] {
        &self.values
    }

    /// Number of values of one mask of the batch.
    pub fn member_len(&self) -> usize {
        self.shape[1] * self.shape[2]
    }

    /// The values of one mask; the batch repeats itself, so that a short one can accompany a long one.
    pub fn member(&self, index: usize) -> &[f32] {
        let length = self.member_len();
        &self.values[index % self.shape[0].max(1) * length..][..length]
    }

    /// A copy of the values in row-major order.
    pub fn values(&self) -> Result<Vec<f32>, NodeError> {
        Ok(self.values.to_vec())
    }
}
