//! Pictures.

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use comfy_graph::{NodeError, Socket};

use super::transfer::{host_device, values_of};

/// A batch of pictures, `[batch, height, width, channel]`, 0 to 1, in the host's memory. Three channels are red, green and
/// blue; a fourth is opacity. Clones share the values.
#[derive(Clone)]
pub struct Image {
    values: Arc<Vec<f32>>,
    shape: [usize; 4],
}

impl Socket for Image {
    const TYPE: &'static str = "IMAGE";

    fn describe(&self) -> String {
        format!("{} {:?}", Self::TYPE, self.shape)
    }

    fn size(&self) -> usize {
        size_of_val(self.values.as_slice())
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Image {:?}", self.shape)
    }
}

impl Image {
    /// Takes a tensor `[batch, height, width, channel]` from any device.
    pub fn new(tensor: Tensor<4>) -> Result<Self, NodeError> {
        let shape = tensor.dims();
        Self::from_values(values_of(tensor)?, shape)
    }

    /// Takes values in row-major order. Fails when their number is not that of the shape.
    pub fn from_values(values: Vec<f32>, shape: [usize; 4]) -> Result<Self, NodeError> {
        let expected = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size));
        if expected != Some(values.len()) {
            return Err(NodeError::value(format_args!(
                "expected the values of a picture of shape {shape:?}, got {}",
                values.len()
            )));
        }
        Ok(Self {
            values: Arc::new(values),
            shape,
        })
    }

    /// A copy as a tensor in the host's memory.
    pub fn tensor(&self) -> Tensor<4> {
        Tensor::from_data(
            TensorData::new(self.values.to_vec(), self.shape),
            &host_device(),
        )
    }

    /// Batch, height, width, channels.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The values in row-major order.
    pub fn pixels(&self) -> &[f32] {
        &self.values
    }

    /// Number of values of one picture of the batch.
    pub fn member_len(&self) -> usize {
        self.shape[1] * self.shape[2] * self.shape[3]
    }

    /// The values of one picture; the batch repeats itself, so that a short one can accompany a long one.
    pub fn member(&self, index: usize) -> &[f32] {
        let length = self.member_len();
        &self.values[index % self.shape[0].max(1) * length..][..length]
    }

    /// A copy of the values in row-major order.
    pub fn values(&self) -> Result<Vec<f32>, NodeError> {
        Ok(self.values.to_vec())
    }

    /// The pictures after a computation on them.
    pub fn map(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Result<Self, NodeError> {
        Self::new(change(self.tensor()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let values: Vec<f32> = (0..12).map(|value| value as f32 / 11.0).collect();
        let image = Image::from_values(values.clone(), [1, 2, 2, 3]).unwrap();
        assert_eq!(
            (image.shape(), image.values().unwrap()),
            ([1, 2, 2, 3], values)
        );
        let doubled = image.map(|pixels| pixels * 2.0).unwrap();
        assert!((doubled.values().unwrap()[11] - 2.0).abs() < 1e-6);
    }

    #[test]
    fn wrong_numbers_are_refused() {
        assert!(Image::from_values(vec![0.0; 11], [1, 2, 2, 3]).is_err());
        assert!(Image::from_values(vec![0.0; 11], [usize::MAX, 2, 2, 3]).is_err());
    }
}
