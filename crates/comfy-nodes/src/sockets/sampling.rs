//! The parts that a sampler is put together from.

use std::fmt;
use std::sync::Arc;

use comfy_diffusion::random::TorchGenerator;
use comfy_diffusion::sampling::samplers::Method;
use comfy_diffusion::sampling::{Guidance, prepare_noise};
use comfy_graph::{NodeError, Socket};

use super::{Latent, Model};
use crate::errors::from_diffusion;

/// A way from noise to a clean latent, with its settings.
#[derive(Clone)]
pub struct Sampler(pub Arc<dyn Method>);

impl Socket for Sampler {
    const TYPE: &'static str = "SAMPLER";
}

impl fmt::Debug for Sampler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sampler")
    }
}

/// Noise levels, mostly descending.
#[derive(Debug, Clone, PartialEq)]
pub struct Sigmas(pub Arc<[f32]>);

impl Socket for Sigmas {
    const TYPE: &'static str = "SIGMAS";

    fn size(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl From<Vec<f32>> for Sigmas {
    fn from(levels: Vec<f32>) -> Self {
        Self(levels.into())
    }
}

/// Where initial noise comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Zeros: the latent has noise in it already, or none is wanted.
    Empty,
    /// Normal noise from a seed.
    Random(u64),
}

impl Socket for Noise {
    const TYPE: &'static str = "NOISE";
}

impl Noise {
    /// The seed, which samplers that add noise of their own take too.
    pub fn seed(self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Random(seed) => seed,
        }
    }

    /// Noise for a latent, row by row, and the generator as it stands after that.
    pub fn draw(self, latent: &Latent) -> Result<(Vec<f32>, TorchGenerator), NodeError> {
        let mut generator = TorchGenerator::new(self.seed());
        let values = match self {
            Self::Empty => vec![0.0; latent.shape().iter().product()],
            Self::Random(_) => prepare_noise(
                latent.shape(),
                &mut generator,
                latent.batch_index.as_deref(),
            )
            .map_err(from_diffusion)?,
        };
        Ok((values, generator))
    }
}

/// A model, and the conditions that it is held to.
#[derive(Debug, Clone)]
pub struct Guider {
    /// The model.
    pub model: Model,
    /// The conditions, and how their predictions are joined.
    pub guidance: Arc<dyn Guidance>,
}

impl Socket for Guider {
    const TYPE: &'static str = "GUIDER";
}
