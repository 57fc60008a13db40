//! Changing how a model is guided: hooks that a model handle carries, and every run asks.

use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Guided, ModelSampling, Moment, Predictions};
use crate::Result;
use crate::models::hooks::NetworkHooks;

/// Changes the predictions before guidance joins them.
pub trait BeforeGuidance: Debug + Send + Sync {
    /// The predictions to go on with.
    fn adjust(&self, moment: &Moment<'_>, predictions: Predictions) -> Result<Predictions>;
}

/// Joins the predictions in the place of classifier-free guidance.
pub trait GuidanceFunction: Debug + Send + Sync {
    /// The clean latent.
    fn guide(&self, moment: &Moment<'_>, predictions: &Predictions) -> Result<Tensor<4>>;
}

/// Changes the clean latent that guidance gave.
pub trait AfterGuidance: Debug + Send + Sync {
    /// The clean latent to go on with; `x0` is the one that came.
    fn adjust(
        &self,
        moment: &Moment<'_>,
        predictions: &Predictions,
        x0: Tensor<4>,
    ) -> Result<Tensor<4>>;
}

/// Stands around guidance with all its calls of the network, and may leave it out.
pub trait AroundGuidance: Debug + Send + Sync {
    /// What guidance gives; `guide` is what stands within, down to guidance itself.
    fn guide(&self, moment: &Moment<'_>, guide: &dyn Fn() -> Result<Guided>) -> Result<Guided>;
}

/// Changes which part of a latent is sampled from noise level to noise level.
pub trait MaskHook: Debug + Send + Sync {
    /// The mask at `sigma`, in a run down `sigmas`; `mask` is 1 where the latent is sampled and of its shape.
    fn mask(
        &self,
        mask: &Tensor<4>,
        sigma: f32,
        sigmas: &[f32],
        sampling: &ModelSampling,
    ) -> Tensor<4>;
}

/// All that changes a model but its weights. Immutable: a changed clone is made with the `with_` methods.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Inside the network.
    pub network: NetworkHooks,
    pub(super) before: Vec<Arc<dyn BeforeGuidance>>,
    pub(super) function: Option<Arc<dyn GuidanceFunction>>,
    pub(super) after: Vec<Arc<dyn AfterGuidance>>,
    pub(super) always_negative: bool,
    pub(super) mask: Option<Arc<dyn MaskHook>>,
    around: Vec<Arc<dyn AroundGuidance>>,
}

impl Hooks {
    /// With one more hook before guidance, after those that are there.
    #[must_use]
    pub fn with_before(mut self, hook: Arc<dyn BeforeGuidance>) -> Self {
        self.before.push(hook);
        self
    }

    /// With another formula for guidance, in the place of one that was there.
    #[must_use]
    pub fn with_function(mut self, function: Arc<dyn GuidanceFunction>) -> Self {
        self.function = Some(function);
        self
    }

    /// With one more hook after guidance, after those that are there.
    #[must_use]
    pub fn with_after(mut self, hook: Arc<dyn AfterGuidance>) -> Self {
        self.after.push(hook);
        self
    }

    /// With the negative prediction made even where guidance does not need it, because a hook does.
    #[must_use]
    pub fn with_negative(mut self) -> Self {
        self.always_negative = true;
        self
    }

    /// With one more that stands around guidance, outside of those that are there.
    #[must_use]
    pub fn with_around(mut self, around: Arc<dyn AroundGuidance>) -> Self {
        self.around.push(around);
        self
    }

    /// Calls guidance through all that stand around it.
    pub(super) fn around(
        &self,
        moment: &Moment<'_>,
        guide: &dyn Fn() -> Result<Guided>,
    ) -> Result<Guided> {
        through(&self.around, moment, guide)
    }

    /// With a mask that changes, in the place of one that was there.
    #[must_use]
    pub fn with_mask(mut self, hook: Arc<dyn MaskHook>) -> Self {
        self.mask = Some(hook);
        self
    }
}

/// Calls guidance through these, the last one first.
fn through(
    around: &[Arc<dyn AroundGuidance>],
    moment: &Moment<'_>,
    guide: &dyn Fn() -> Result<Guided>,
) -> Result<Guided> {
    match around.split_last() {
        None => guide(),
        Some((outermost, within)) => outermost.guide(moment, &|| through(within, moment, guide)),
    }
}
