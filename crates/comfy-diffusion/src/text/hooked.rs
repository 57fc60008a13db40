//! A text encoder whose weights hooks change.

use std::sync::{Arc, OnceLock};

use super::clip::TextEncoder;
use crate::error::Result;
use crate::sampling::ProgressRange;
use crate::weight_hooks::{WeightHooks, schedule};

/// The changes, and the encoders that were made with them. These are made when they are first needed, and once.
pub(super) struct Hooked {
    hooks: WeightHooks,
    /// Whether keyframes count.
    pub(super) is_scheduled: bool,
    at_first: OnceLock<Arc<dyn TextEncoder>>,
    scheduled: OnceLock<Vec<(ProgressRange, Arc<dyn TextEncoder>)>>,
}

impl Hooked {
    pub(super) fn new(hooks: &WeightHooks, is_scheduled: bool) -> Self {
        Self {
            hooks: hooks.clone(),
            is_scheduled,
            at_first: OnceLock::new(),
            scheduled: OnceLock::new(),
        }
    }

    /// The same changes, for another encoder.
    pub(super) fn renewed(&self) -> Self {
        Self::new(&self.hooks, self.is_scheduled)
    }

    /// The encoder as the hooks change it at the beginning.
    pub(super) fn at_first(&self, plain: &Arc<dyn TextEncoder>) -> Result<&Arc<dyn TextEncoder>> {
        if let Some(known) = self.at_first.get() {
            return Ok(known);
        }
        let factors = self.hooks.as_slice().iter().map(|hook| {
            if self.is_scheduled {
                hook.keyframes().first_strength()
            } else {
                1.0
            }
        });
        let made = self.changed(plain, &factors.collect::<Vec<_>>())?;
        Ok(self.at_first.get_or_init(|| made))
    }

    /// The encoders for the stretches of the way.
    pub(super) fn scheduled(
        &self,
        plain: &Arc<dyn TextEncoder>,
    ) -> Result<&[(ProgressRange, Arc<dyn TextEncoder>)]> {
        if let Some(known) = self.scheduled.get() {
            return Ok(known);
        }
        let made = schedule(&self.hooks)
            .into_iter()
            .map(|stretch| Ok((stretch.range, self.changed(plain, &stretch.strengths)?)))
            .collect::<Result<_>>()?;
        Ok(self.scheduled.get_or_init(|| made))
    }

    fn changed(
        &self,
        plain: &Arc<dyn TextEncoder>,
        factors: &[f64],
    ) -> Result<Arc<dyn TextEncoder>> {
        let strengths = self
            .hooks
            .as_slice()
            .iter()
            .zip(factors)
            .map(|(hook, factor)| {
                let strength = hook.strength_of_text() * factor;
                (hook.change(), strength)
            });
        plain.changed(&strengths.collect::<Vec<_>>())
    }
}
