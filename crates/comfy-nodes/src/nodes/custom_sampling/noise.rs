//! `RandomNoise`, `DisableNoise` and `AddNoise`.

use burn::tensor::{Tensor, TensorData};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::OneNoise;
use crate::nodes::latent::ChangedLatent;
use crate::sockets::{Latent, Model, Noise, Sigmas, host_device, values_of};

/// Noise from a seed.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RandomNoise",
    name = "RandomNoise",
    category = "sampling/custom_sampling/noise",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct RandomNoise {
    /// The seed. The same seed gives the same noise.
    #[input(default = 0u64, min = 0u64, max = u64::MAX, control_after_generate)]
    noise_seed: u64,
}

impl Node for RandomNoise {
    type Output = OneNoise;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneNoise, NodeError> {
        Ok(OneNoise {
            noise: Noise::Random(self.noise_seed),
        })
    }
}

/// No noise, for a latent that has some in it already.
#[derive(Debug, NodeSpec)]
#[node(
    id = "DisableNoise",
    name = "DisableNoise",
    category = "sampling/custom_sampling/noise",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct DisableNoise {}

impl Node for DisableNoise {
    type Output = OneNoise;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneNoise, NodeError> {
        Ok(OneNoise {
            noise: Noise::Empty,
        })
    }
}

/// Adds as much noise to a latent as the first of some noise levels has more than the last.
#[derive(Debug, NodeSpec)]
#[node(
    id = "AddNoise",
    name = "AddNoise",
    category = "_for_testing/custom_sampling/noise",
    module = "comfy_extras.nodes_custom_sampler"
)]
pub struct AddNoise {
    /// The model that the noise is meant for.
    model: Model,
    /// The noise.
    noise: Noise,
    /// The noise levels. Without any the latent stays as it is.
    sigmas: Sigmas,
    /// The latent.
    latent_image: Latent,
}

impl Node for AddNoise {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let level = match *self.sigmas.0 {
            [] => return Ok(self.latent_image.into()),
            [only] => only,
            [first, .., last] => (first - last).abs(),
        };
        let model = self.model.get()?;
        let (noise, _) = self.noise.draw(&self.latent_image)?;
        let noise = Tensor::from_data(
            TensorData::new(noise, self.latent_image.shape()),
            &host_device(),
        );
        let samples = self.latent_image.samples.clone();
        let is_empty = values_of(samples.clone())?
            .iter()
            .all(|value| *value == 0.0);
        // An empty latent stays empty, whatever zero means to the autoencoder.
        let latent = if is_empty {
            samples
        } else {
            model.latent_format.to_network(samples)
        };
        let noisy = model.sampling.add_noise(latent, noise, level, false);
        let noisy = model.latent_format.from_network(noisy);
        let mut values = values_of(noisy)?;
        for value in &mut values {
            if !value.is_finite() {
                *value = 0.0;
            }
        }
        let noisy = Tensor::from_data(
            TensorData::new(values, self.latent_image.shape()),
            &host_device(),
        );
        Ok(self.latent_image.with_samples(noisy)?.into())
    }
}
