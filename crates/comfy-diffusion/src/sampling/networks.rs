//! The networks of one run: the model's own, and those with the changes that conditions carry.

use std::sync::{Arc, Mutex, PoisonError};

use crate::models::Network;
use crate::residency::Resident;
use crate::weight_hooks::{Keyframes, Progress, WeightHooks};
use crate::{Model, Result};

/// The networks that a run calls.
pub(super) struct Networks<'a> {
    model: &'a Model,
    /// The model's own, held while the run lasts if it is called.
    own: Option<Arc<dyn Network>>,
    /// The noise level that the run begins with.
    largest: f32,
    changed: Mutex<Changed>,
}

#[derive(Default)]
struct Changed {
    progress: Vec<(Keyframes, Progress)>,
    /// One for each group of hooks, as it was last called.
    made: Vec<Made>,
}

struct Made {
    hooks: WeightHooks,
    strengths: Vec<f64>,
    current: Current,
}

/// A network in use.
#[derive(Clone)]
pub(super) struct Current {
    handle: Resident<dyn Network>,
    pub(super) network: Arc<dyn Network>,
}

impl Current {
    /// Whether both are the same network.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.handle.is(&other.handle)
    }
}

impl<'a> Networks<'a> {
    /// For a run down these levels; `own` is the model's network.
    pub(super) fn new(model: &'a Model, own: Arc<dyn Network>, sigmas: &[f32]) -> Self {
        Self {
            model,
            own: Some(own),
            largest: sigmas.iter().copied().fold(0.0, f32::max),
            changed: Mutex::default(),
        }
    }

    /// The same, for a run in which every condition carries hooks: the model's own network may leave.
    pub(super) fn without_own(self) -> Self {
        Self { own: None, ..self }
    }

    /// The network for a condition with these hooks at a noise level.
    pub(super) fn at(&self, hooks: &WeightHooks, sigma: f32) -> Result<Current> {
        if hooks.is_empty() {
            let handle = self.model.network.clone();
            let network = match &self.own {
                Some(own) => Arc::clone(own),
                None => handle.get()?,
            };
            return Ok(Current { handle, network });
        }
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let strengths: Vec<f64> = hooks
            .as_slice()
            .iter()
            .map(|hook| {
                let factor = changed.factor(hook.keyframes(), |progress, keyframes| {
                    progress.strength(keyframes, sigma, self.largest, &self.model.sampling)
                });
                hook.strength_of_network() * factor
            })
            .collect();
        if let Some(place) = changed.made.iter().position(|made| made.hooks.are(hooks)) {
            if same(&changed.made[place].strengths, &strengths) {
                return Ok(changed.made[place].current.clone());
            }
            // What was called so far leaves before its successor comes.
            changed.made.remove(place);
        }
        let handle = self.model.hooked(hooks, &strengths)?;
        // How exactly one computes goes for all.
        handle.set_exact(self.model.network.is_exact());
        let current = Current {
            network: handle.get()?,
            handle,
        };
        hooks.keep(&current.handle);
        changed.made.push(Made {
            hooks: hooks.clone(),
            strengths,
            current: current.clone(),
        });
        Ok(current)
    }
}

impl Changed {
    /// What going through keyframes gives, from where the run has come to.
    fn factor(
        &mut self,
        keyframes: &Keyframes,
        go_on: impl FnOnce(&mut Progress, &Keyframes) -> f64,
    ) -> f64 {
        if keyframes.are_constant() {
            return 1.0;
        }
        let known = self.progress.iter().position(|(own, _)| own.are(keyframes));
        let place = known.unwrap_or_else(|| {
            self.progress.push((keyframes.clone(), Progress::default()));
            self.progress.len() - 1
        });
        go_on(&mut self.progress[place].1, keyframes)
    }
}

/// Whether these are the same numbers, to the last bit.
fn same(one: &[f64], other: &[f64]) -> bool {
    let bits = |strengths: &[f64]| {
        strengths
            .iter()
            .map(|one| one.to_bits())
            .collect::<Vec<_>>()
    };
    bits(one) == bits(other)
}
