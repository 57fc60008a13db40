//! Pictures.

use burn::tensor::{Tensor, TensorData};
use comfy_graph::{NodeError, Socket};

use super::transfer::{bytes_of, host_device, on_host, values_of};

/// A batch of pictures, `[batch, height, width, channel]`, 0 to 1, in the host's memory. Three channels are red, green and
/// blue; a fourth is opacity.
#[derive(Debug, Clone)]
pub struct Image(Tensor<4>);

impl Socket for Image {
    const TYPE: &'static str = "IMAGE";

    fn describe(&self) -> String {
        format!("{} {:?}", Self::TYPE, self.shape())
    }

    fn size(&self) -> usize {
        bytes_of(&self.0)
    }
}

impl Image {
    /// Takes a tensor `[batch, height, width, channel]` from any device.
    pub fn new(tensor: Tensor<4>) -> Result<Self, NodeError> {
        on_host(tensor).map(Self)
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
        Ok(Self(Tensor::from_data(
            TensorData::new(values, shape),
            &host_device(),
        )))
    }

    /// The tensor, in the host's memory.
    pub fn tensor(&self) -> &Tensor<4> {
        &self.0
    }

    /// Batch, height, width, channels.
    pub fn shape(&self) -> [usize; 4] {
        self.0.dims()
    }

    /// The values in row-major order.
    pub fn values(&self) -> Result<Vec<f32>, NodeError> {
        values_of(self.0.clone())
    }

    /// The pictures after a computation on them.
    pub fn map(self, change: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Result<Self, NodeError> {
        Self::new(change(self.0))
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
