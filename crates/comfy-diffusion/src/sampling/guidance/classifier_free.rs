//! Classifier-free guidance.
//!
//! Source: J. Ho and T. Salimans, "Classifier-free diffusion guidance" (2022).

use super::{Guidance, Moment, Predictions, Role, is_one};
use crate::Result;
use crate::sampling::{Conditioning, Guided};

/// From the negative towards the positive prediction, and beyond.
#[derive(Clone, Debug)]
pub struct ClassifierFree {
    /// What the picture is to show.
    pub positive: Vec<Conditioning>,
    /// What it is not to show; may be empty where the scale is 1.
    pub negative: Vec<Conditioning>,
    /// How far to go from the negative towards the positive prediction; 1 stops at the positive one, and the negative one
    /// is not made.
    pub scale: f64,
}

impl ClassifierFree {
    /// By one list alone.
    pub fn positive(conditions: Vec<Conditioning>) -> Self {
        Self {
            positive: conditions,
            negative: Vec::new(),
            scale: 1.0,
        }
    }
}

impl Guidance for ClassifierFree {
    fn lists(&self) -> Vec<(Role, &[Conditioning])> {
        vec![
            (Role::Positive, &self.positive),
            (Role::Negative, &self.negative),
        ]
    }

    fn guide(&self, moment: &Moment<'_>, needs_negative: bool) -> Result<Guided> {
        // Nothing of the negative prediction would be left, and half of the work is saved.
        let is_skipped = self.negative.is_empty() || is_one(self.scale) && !needs_negative;
        let lists = [Some(0), Some(1).filter(|_| !is_skipped)];
        let [positive, negative] = moment.predict(lists)?;
        let predictions = moment.before(Predictions {
            positive,
            negative,
            lists,
            scale: self.scale,
        })?;
        moment.join(predictions)
    }
}
