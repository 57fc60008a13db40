//! Two lists of conditions on one network: classifier-free guidance.
//!
//! Source: J. Ho and T. Salimans, "Classifier-free diffusion guidance" (2022).

use burn::tensor::Tensor;

use super::batching::{Condition, Fit, predict};
use super::beside::Sampled;
use super::{Conditioning, Denoise, Guided, ModelSampling};
use crate::models::Network;
use crate::{Model, Result};

/// A network with positive and negative conditions, as samplers see it.
pub(super) struct GuidedModel<'a> {
    network: &'a dyn Network,
    sampling: &'a ModelSampling,
    positive: Vec<Condition>,
    negative: Vec<Condition>,
    /// How far to go from the negative towards the positive prediction; 1 stops at the positive one.
    scale: f64,
}

impl<'a> GuidedModel<'a> {
    /// Conditions are fitted to what is sampled and moved to the model's device.
    pub(super) fn new(
        network: &'a dyn Network,
        model: &'a Model,
        (positive, negative): (&[Conditioning], &[Conditioning]),
        scale: f64,
        sampled: Sampled<'_>,
        seed: u64,
    ) -> Result<Self> {
        let fit = |conditions: &[Conditioning], is_negative| {
            let fit = Fit {
                model,
                sampled,
                is_negative,
                seed,
            };
            conditions
                .iter()
                .map(|condition| Condition::new(condition, fit))
                .collect::<Result<Vec<_>>>()
        };
        Ok(Self {
            network,
            sampling: &model.sampling,
            positive: fit(positive, false)?,
            negative: fit(negative, true)?,
            scale,
        })
    }

    fn predict<const N: usize>(
        &self,
        lists: [&[Condition]; N],
        x: &Tensor<4>,
        sigma: f32,
    ) -> Result<[Tensor<4>; N]> {
        predict(self.network, self.sampling, lists, x, sigma)
    }
}

impl Denoise for GuidedModel<'_> {
    fn denoise(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Tensor<4>> {
        if is_one(self.scale) {
            // Nothing of the negative prediction would be left, and half of the work is saved.
            let [positive] = self.predict([&self.positive], x, sigma)?;
            return Ok(positive);
        }
        Ok(self.denoise_both(x, sigma)?.x0)
    }

    fn denoise_both(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Guided> {
        let [positive, negative] = self.predict([&self.positive, &self.negative], x, sigma)?;
        let x0 = negative.clone() + (positive - negative.clone()).mul_scalar(self.scale);
        Ok(Guided { x0, negative })
    }

    fn sampling(&self) -> &ModelSampling {
        self.sampling
    }
}

/// Whether a scale differs from 1 by rounding at most.
fn is_one(scale: f64) -> bool {
    (scale - 1.0).abs() <= 1e-9 * scale.abs().max(1.0)
}
