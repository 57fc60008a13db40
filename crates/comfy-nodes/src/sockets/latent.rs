//! Latents.

use burn::tensor::{Tensor, TensorData};
use comfy_graph::{NodeError, Socket};

use super::transfer::{bytes_of, host_device, on_host};

/// A batch of latents with what belongs to them, in the host's memory.
#[derive(Debug, Clone)]
pub struct Latent {
    /// `[batch, channel, height, width]` in latent cells, in the scale of the autoencoder.
    pub samples: Tensor<4>,
    /// `[batch or 1, 1, height, width]`, of any size: 1 where sampling may change the latent. `None` changes everything.
    pub noise_mask: Option<Tensor<4>>,
    /// The place that each member had in the batch it was taken from; it decides which noise the member gets.
    pub batch_index: Option<Vec<i64>>,
}

impl Socket for Latent {
    const TYPE: &'static str = "LATENT";

    fn describe(&self) -> String {
        format!("{} {:?}", Self::TYPE, self.shape())
    }

    fn size(&self) -> usize {
        bytes_of(&self.samples) + self.noise_mask.as_ref().map_or(0, bytes_of)
    }
}

impl Latent {
    /// A latent without mask and places, from a tensor on any device.
    pub fn new(samples: Tensor<4>) -> Result<Self, NodeError> {
        Ok(Self {
            samples: on_host(samples)?,
            noise_mask: None,
            batch_index: None,
        })
    }

    /// A latent of zeros. Fails when this machine cannot hold it.
    pub fn zeros(shape: [usize; 4]) -> Result<Self, NodeError> {
        let failed = || NodeError::OutOfMemory(format!("cannot hold a latent of shape {shape:?}"));
        let length = shape
            .iter()
            .try_fold(1_usize, |product, &size| product.checked_mul(size))
            .ok_or_else(failed)?;
        let mut values: Vec<f32> = Vec::new();
        values.try_reserve_exact(length).map_err(|_| failed())?;
        values.resize(length, 0.0);
        let samples = Tensor::from_data(TensorData::new(values, shape), &host_device());
        Ok(Self {
            samples,
            noise_mask: None,
            batch_index: None,
        })
    }

    /// Other samples for the same mask and places.
    pub fn with_samples(self, samples: Tensor<4>) -> Result<Self, NodeError> {
        Ok(Self {
            samples: on_host(samples)?,
            ..self
        })
    }

    /// Batch, channels, height, width in latent cells.
    pub fn shape(&self) -> [usize; 4] {
        self.samples.dims()
    }
}
