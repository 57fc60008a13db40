//! Changes of weights that count only for the conditions that carry them.
//!
//! A [`WeightHook`] is a change of a model's weights and its strength, which [`Keyframes`] may vary on the way from noise to picture.
//! [`WeightHooks`] are what a condition carries: the sampler calls a changed network for it, and a [text encoder](crate::text::Clip)
//! can be changed by the same hooks.

mod keyframes;
mod schedule;

use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use keyframes::Progress;
pub use keyframes::{Keyframe, Keyframes};
pub(crate) use schedule::schedule;

use crate::models::Network;
use crate::residency::Resident;
use crate::weights::TensorSource;
use crate::weights::patch::{Change, PatchFile};

/// A change of a model and of its text encoder.
#[derive(Debug)]
pub enum WeightChange {
    /// That of a file of `LoRA` or of one of its relatives.
    File(PatchFile),
    /// Part of the way to another model.
    Model {
        /// The tensors of its network.
        network: Option<TensorSource>,
        /// The tensors of the networks of its text encoder, by their names.
        texts: Vec<(&'static str, TensorSource)>,
    },
}

impl WeightChange {
    /// What it changes about a diffusion network.
    pub(crate) fn of_network(&self) -> Option<Change<'_>> {
        match self {
            Self::File(file) => Some(Change::File(file)),
            Self::Model { network, .. } => network.as_ref().map(Change::Towards),
        }
    }

    /// What it changes about the network of this name of a text encoder.
    pub(crate) fn of_text(&self, key: &str) -> Option<Change<'_>> {
        match self {
            Self::File(file) => Some(Change::File(file)),
            Self::Model { texts, .. } => {
                let own = texts.iter().find(|(name, _)| *name == key);
                own.map(|(_, source)| Change::Towards(source))
            }
        }
    }
}

/// A change with its strengths. Clones are the same hook, also with other keyframes.
#[derive(Clone, Debug)]
pub struct WeightHook {
    inner: Arc<Strengths>,
    keyframes: Keyframes,
}

#[derive(Debug)]
struct Strengths {
    change: WeightChange,
    of_network: f64,
    of_text: f64,
    /// The network that was made last with this hook as the last one, so that another run finds it.
    made: Mutex<Option<Resident<dyn Network>>>,
}

impl WeightHook {
    /// A change of a diffusion model and of its text encoder, each with a strength.
    pub fn new(change: WeightChange, of_network: f64, of_text: f64) -> Self {
        Self {
            inner: Arc::new(Strengths {
                change,
                of_network,
                of_text,
                made: Mutex::default(),
            }),
            keyframes: Keyframes::default(),
        }
    }

    /// The change.
    pub(crate) fn change(&self) -> &WeightChange {
        &self.inner.change
    }

    /// What its strengths are multiplied by on the way.
    pub(crate) fn keyframes(&self) -> &Keyframes {
        &self.keyframes
    }

    /// How strongly it changes a network, before keyframes.
    pub(crate) fn strength_of_network(&self) -> f64 {
        self.inner.of_network
    }

    /// How strongly it changes a text encoder, before keyframes.
    pub(crate) fn strength_of_text(&self) -> f64 {
        self.inner.of_text
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

/// Hooks in the order in which they change weights; each is there once.
#[derive(Clone, Debug, Default)]
pub struct WeightHooks {
    hooks: Arc<[WeightHook]>,
}

impl WeightHooks {
    /// One hook.
    pub fn one(hook: WeightHook) -> Self {
        Self {
            hooks: [hook].into(),
        }
    }

    /// These hooks, and then those of the others that are not among them.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        let new = |other: &&WeightHook| !self.hooks.iter().any(|hook| hook.is(other));
        let others = others.hooks.iter().filter(new);
        Self {
            hooks: self.hooks.iter().chain(others).cloned().collect(),
        }
    }

    /// The same hooks, all of which follow these keyframes in the place of others.
    #[must_use]
    pub fn with_keyframes(&self, keyframes: &Keyframes) -> Self {
        let keyframes = keyframes.renewed();
        let hooks = self.hooks.iter().map(|hook| WeightHook {
            keyframes: keyframes.clone(),
            ..hook.clone()
        });
        Self {
            hooks: hooks.collect(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// The hooks.
    pub(crate) fn as_slice(&self) -> &[WeightHook] {
        &self.hooks
    }

    /// Keeps a handle to a network that was made with these hooks, in the place of an earlier one.
    pub(crate) fn keep(&self, network: &Resident<dyn Network>) {
        if let Some(hook) = self.hooks.last() {
            let mut made = hook
                .inner
                .made
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *made = Some(network.clone());
        }
    }

    /// Whether these are the same hooks with the same keyframes.
    pub(crate) fn are(&self, others: &Self) -> bool {
        self.hooks.len() == others.hooks.len()
            && self
                .hooks
                .iter()
                .zip(others.hooks.iter())
                .all(|(own, other)| own.is(other) && own.keyframes.are(&other.keyframes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(strength: f64) -> WeightHooks {
        let change = WeightChange::Model {
            network: None,
            texts: Vec::new(),
        };
        WeightHooks::one(WeightHook::new(change, strength, strength))
    }

    #[test]
    fn each_hook_is_there_once_and_the_first_counts() {
        let (first, second) = (hook(1.0), hook(2.0));
        let keyframes = Keyframes::default().with([Keyframe::new(0.5, 0.0, 0)]);
        let again = first.with_keyframes(&keyframes);
        let joined = first.and(&second).and(&again);
        let strengths: Vec<_> = joined
            .as_slice()
            .iter()
            .map(WeightHook::strength_of_network)
            .collect();
        assert_eq!(strengths, [1.0, 2.0]);
        assert!(joined.are(&first.and(&second)));
        assert!(!again.are(&first) && !again.are(&first.with_keyframes(&keyframes)));
        assert!(again.and(&first).are(&again));
    }
}
