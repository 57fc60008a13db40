//! Several predictions of one network joined to one: guidance.
//!
//! A [`Guidance`] holds lists of conditions and says how their predictions are joined; [`Moment`] is what it, and every hook,
//! works with at one noise level.

mod classifier_free;
mod dual;
mod moment;
mod perpendicular;

use std::fmt::Debug;

pub use classifier_free::ClassifierFree;
pub use dual::Dual;
pub(super) use moment::GuidedModel;
pub use moment::{Moment, Predictions};
pub use perpendicular::{PerpendicularFunction, PerpendicularNegative};

use super::{Conditioning, Guided};
use crate::Result;

/// What a list of conditions is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What the picture is to show.
    Positive,
    /// What it is not to show, or what the positive one is measured against.
    Negative,
}

/// A way to guide a model by lists of conditions.
pub trait Guidance: Debug + Send + Sync {
    /// The lists. Their numbers are what [`Moment::predict`] takes.
    fn lists(&self) -> Vec<(Role, &[Conditioning])>;

    /// The clean latent at a moment. With `needs_negative` the negative prediction must be made, whatever the scale.
    ///
    /// # Errors
    ///
    /// Whatever the network or a hook gives.
    fn guide(&self, moment: &Moment<'_>, needs_negative: bool) -> Result<Guided>;
}

/// Whether a scale differs from 1 by rounding at most.
fn is_one(scale: f64) -> bool {
    (scale - 1.0).abs() <= 1e-9 * scale.abs().max(1.0)
}
