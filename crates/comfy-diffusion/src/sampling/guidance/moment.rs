//! One noise level of a run, as guidance and hooks see it.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Guidance, Role, is_one};
use crate::Result;
use crate::models::hooks::NetworkHooks;
use crate::sampling::batching::Caller;
use crate::sampling::condition::{Condition, Fit, match_areas, share_with_negative};
use crate::sampling::networks::Networks;
use crate::sampling::{Conditioning, Denoise, Guided, Hooks, Memory, ModelSampling};

/// A network under guidance, as samplers see it.
pub(in crate::sampling) struct GuidedModel<'a> {
    networks: Networks<'a>,
    guidance: &'a dyn Guidance,
    memory: Arc<Memory>,
    fit: Fit<'a>,
    /// The guidance's lists, fitted to the latent.
    lists: Vec<Vec<Condition>>,
}

impl<'a> GuidedModel<'a> {
    /// Conditions are fitted to what is sampled and moved to the model's device.
    pub(in crate::sampling) fn new(
        networks: Networks<'a>,
        guidance: &'a dyn Guidance,
        memory: Arc<Memory>,
        fit: Fit<'a>,
    ) -> Result<Self> {
        let mut lists = guidance
            .lists()
            .into_iter()
            .map(|(role, conditions)| fitted(conditions, role, fit))
            .collect::<Result<Vec<_>>>()?;
        match_areas(&mut lists);
        let roles: Vec<Role> = guidance.lists().iter().map(|(role, _)| *role).collect();
        share_with_negative(&mut lists, &roles);
        let mut conditions = lists.iter().flatten();
        let networks = if conditions.any(|condition| condition.weight_hooks.is_empty()) {
            networks
        } else {
            networks.without_own()
        };
        Ok(Self {
            networks,
            guidance,
            memory,
            fit,
            lists,
        })
    }

    fn guide(&self, x: &Tensor<4>, sigma: f32, needs_negative: bool) -> Result<Guided> {
        let moment = Moment {
            model: self,
            x,
            sigma,
        };
        let hooks = &self.fit.model.hooks;
        let needs_negative = needs_negative || hooks.always_negative;
        hooks.around(&moment, &|| self.guidance.guide(&moment, needs_negative))
    }
}

fn fitted(conditions: &[Conditioning], role: Role, fit: Fit<'_>) -> Result<Vec<Condition>> {
    conditions
        .iter()
        .map(|condition| Condition::new(condition, role, fit))
        .collect()
}

impl Denoise for GuidedModel<'_> {
    fn denoise(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Tensor<4>> {
        Ok(self.guide(x, sigma, false)?.x0)
    }

    fn denoise_both(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Guided> {
        self.guide(x, sigma, true)
    }

    fn sampling(&self) -> &ModelSampling {
        &self.fit.model.sampling
    }
}

/// Two predictions on their way to one.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// The clean latent under the positive conditions.
    pub positive: Tensor<4>,
    /// The clean latent under the negative ones; zeros where it was not needed.
    pub negative: Tensor<4>,
    /// The numbers of the lists they were made for; `None` where it was not needed.
    pub lists: [Option<usize>; 2],
    /// The scale of guidance.
    pub scale: f64,
}

impl Predictions {
    /// Whether both predictions were made.
    pub fn are_complete(&self) -> bool {
        self.lists.iter().all(Option::is_some)
    }
}

/// One noise level of a run.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    model: &'a GuidedModel<'a>,
    x: &'a Tensor<4>,
    sigma: f32,
}

impl Moment<'_> {
    /// The noisy latent, unscaled.
    pub fn x(&self) -> &Tensor<4> {
        self.x
    }

    /// The noise level.
    pub fn sigma(&self) -> f32 {
        self.sigma
    }

    /// What hooks remember during this run.
    pub fn memory(&self) -> &Memory {
        &self.model.memory
    }

    /// The meaning of the noise levels.
    pub fn sampling(&self) -> &ModelSampling {
        &self.model.fit.model.sampling
    }

    /// The hooks inside the network.
    pub fn network_hooks(&self) -> &NetworkHooks {
        &self.hooks().network
    }

    fn hooks(&self) -> &Hooks {
        &self.model.fit.model.hooks
    }

    /// The clean latents that the model sees under some of the guidance's lists, in few calls; zeros for no list.
    ///
    /// # Errors
    ///
    /// Whatever the network gives.
    pub fn predict<const N: usize>(&self, lists: [Option<usize>; N]) -> Result<[Tensor<4>; N]> {
        self.predict_with(self.network_hooks(), self.x, lists)
    }

    /// The same with other hooks inside the network, and for another x.
    ///
    /// # Errors
    ///
    /// Whatever the network or a hook gives.
    pub fn predict_with<const N: usize>(
        &self,
        hooks: &NetworkHooks,
        x: &Tensor<4>,
        lists: [Option<usize>; N],
    ) -> Result<[Tensor<4>; N]> {
        let lists = lists.map(|list| {
            list.and_then(|list| self.model.lists.get(list))
                .map_or(&[][..], Vec::as_slice)
        });
        self.caller().predict(hooks, lists, x, self.sigma)
    }

    /// The clean latent under negative conditions that are none of the guidance's.
    ///
    /// # Errors
    ///
    /// If they do not fit the network, or whatever it gives.
    pub fn predict_others(&self, conditions: &[Conditioning]) -> Result<Tensor<4>> {
        let conditions = fitted(conditions, Role::Negative, self.model.fit)?;
        let [x0] =
            self.caller()
                .predict(self.network_hooks(), [&conditions[..]], self.x, self.sigma)?;
        Ok(x0)
    }

    fn caller(&self) -> Caller<'_> {
        Caller {
            networks: &self.model.networks,
            sampling: self.sampling(),
            memory: &self.model.memory,
        }
    }

    /// Asks the hooks that come before guidance.
    ///
    /// # Errors
    ///
    /// Whatever a hook gives.
    pub fn before(&self, predictions: Predictions) -> Result<Predictions> {
        let mut hooks = self.hooks().before.iter();
        hooks.try_fold(predictions, |predictions, hook| {
            hook.adjust(self, predictions)
        })
    }

    /// Asks the hooks that come after guidance.
    ///
    /// # Errors
    ///
    /// Whatever a hook gives.
    pub fn after(&self, predictions: &Predictions, x0: Tensor<4>) -> Result<Tensor<4>> {
        let mut hooks = self.hooks().after.iter();
        hooks.try_fold(x0, |x0, hook| hook.adjust(self, predictions, x0))
    }

    /// Joins two predictions by the model's formula, or the usual one, and asks the hooks that come after.
    ///
    /// # Errors
    ///
    /// Whatever a hook gives.
    pub fn join(&self, predictions: Predictions) -> Result<Guided> {
        let x0 = match &self.hooks().function {
            Some(function) => function.guide(self, &predictions)?,
            None if predictions.lists[1].is_none() && is_one(predictions.scale) => {
                predictions.positive.clone()
            }
            None => {
                let direction = predictions.positive.clone() - predictions.negative.clone();
                predictions.negative.clone() + direction.mul_scalar(predictions.scale)
            }
        };
        Ok(Guided {
            x0: self.after(&predictions, x0)?,
            negative: predictions.negative,
        })
    }
}
