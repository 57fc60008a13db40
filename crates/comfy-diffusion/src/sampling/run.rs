//! One run of a sampler: what it is given, and what it tells while it goes on.

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::noise::{BrownianNoise, StepNoise};
use super::{Denoise, Guided, Memory, ModelSampling};
use crate::random::TorchGenerator;
use crate::{Error, Result};

/// What an observer sees after each step's first call of the model.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The step, from 0.
    pub index: usize,
    /// How many steps there are.
    pub count: usize,
    /// The clean latent that the model sees, in the model's scale.
    pub x0: &'a Tensor<4>,
    /// The noisy latent the step began with.
    pub x: &'a Tensor<4>,
}

/// Is told of each step; breaking ends the run with [`Error::Interrupted`].
pub type Observe<'a> = dyn FnMut(Step<'_>) -> ControlFlow<()> + 'a;

/// What a sampler works with besides its x.
pub struct Run<'a> {
    denoiser: &'a mut dyn Denoise,
    observe: &'a mut Observe<'a>,
    sigmas: &'a [f32],
    seed: u64,
    memory: Arc<Memory>,
}

impl<'a> Run<'a> {
    /// A run down `sigmas` (descending; the last one, usually 0, is where it ends). `seed` is for the noise that a
    /// stochastic sampler adds on its way.
    pub fn new(
        denoiser: &'a mut dyn Denoise,
        sigmas: &'a [f32],
        seed: u64,
        observe: &'a mut Observe<'a>,
    ) -> Self {
        Self {
            denoiser,
            observe,
            sigmas,
            seed,
            memory: Arc::new(Memory::new(TorchGenerator::new(seed))),
        }
    }

    /// The same run with what hooks of its model remember, and draw from.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<Memory>) -> Self {
        self.memory = memory;
        self
    }

    /// The noise levels.
    pub fn sigmas(&self) -> &'a [f32] {
        self.sigmas
    }

    /// The meaning of the noise levels.
    pub fn sampling(&self) -> &ModelSampling {
        self.denoiser.sampling()
    }

    /// The number of steps: one less than there are levels.
    pub fn steps(&self) -> usize {
        self.sigmas.len().saturating_sub(1)
    }

    /// Calls the model.
    pub fn denoise(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Tensor<4>> {
        self.denoiser.denoise(x, sigma)
    }

    /// Calls the model for both views.
    pub fn denoise_both(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Guided> {
        self.denoiser.denoise_both(x, sigma)
    }

    /// Tells the observer of a step.
    pub fn report(&mut self, index: usize, x0: &Tensor<4>, x: &Tensor<4>) -> Result<()> {
        let step = Step {
            index,
            count: self.steps(),
            x0,
            x,
        };
        match (self.observe)(step) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }

    /// Noise of x's shape, drawn from a generator that starts anew at the seed, so that its first draw repeats the
    /// initial noise.
    pub fn noise_like(&self, x: &Tensor<4>) -> StepNoise {
        StepNoise::new(self.seed, x)
    }

    /// Noise of x's shape from the generator that drew the initial noise, which goes on where that ended.
    pub fn further_noise_like(&self, x: &Tensor<4>) -> Tensor<4> {
        let shape = x.dims();
        let values = self
            .memory
            .draw(|generator| generator.randn(shape.iter().product()));
        Tensor::from_data(TensorData::new(values, shape), &x.device())
    }

    /// Noise that belongs to the interval between two levels, however the levels are chosen.
    pub fn brownian_like(&self, x: &Tensor<4>) -> BrownianNoise {
        BrownianNoise::new(self.seed, self.sigmas, x)
    }
}
