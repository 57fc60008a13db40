//! Guidance away from the part of the negative prediction that is perpendicular to the positive one.
//!
//! Source: M. Armandpour et al., "Re-imagine the negative prompt algorithm: transform 2D diffusion into 3D, alleviate Janus
//! problem and beyond" (2023), algorithm 1.

use burn::tensor::Tensor;

use super::{Guidance, Moment, Predictions, Role, is_one};
use crate::Result;
use crate::sampling::hooks::GuidanceFunction;
use crate::sampling::{Conditioning, Guided};

/// Three lists: a positive, a negative, and an empty text that both are measured against.
#[derive(Clone, Debug)]
pub struct PerpendicularNegative {
    /// What the picture is to show.
    pub positive: Vec<Conditioning>,
    /// What it is not to show.
    pub negative: Vec<Conditioning>,
    /// The empty text.
    pub empty: Vec<Conditioning>,
    /// How far to go from the empty towards the positive prediction.
    pub scale: f64,
    /// How much of the negative direction is taken away.
    pub negative_scale: f64,
}

const POSITIVE: usize = 0;
const EMPTY: usize = 1;
const NEGATIVE: usize = 2;

impl Guidance for PerpendicularNegative {
    fn lists(&self) -> Vec<(Role, &[Conditioning])> {
        vec![
            (Role::Positive, &self.positive),
            (Role::Negative, &self.empty),
            (Role::Negative, &self.negative),
        ]
    }

    fn guide(&self, moment: &Moment<'_>, needs_negative: bool) -> Result<Guided> {
        let skips_negative = self.negative_scale.abs() <= 0.0 && !needs_negative;
        let skips_empty = skips_negative && is_one(self.scale);
        let negative_list = Some(NEGATIVE).filter(|_| !skips_negative);
        let empty_list = Some(EMPTY).filter(|_| !skips_empty);
        let [positive, negative, empty] =
            moment.predict([Some(POSITIVE), negative_list, empty_list])?;
        let predictions = moment.before(Predictions {
            positive,
            negative,
            lists: [Some(POSITIVE), negative_list],
            scale: self.scale,
        })?;
        let x0 = join(&predictions, &empty, self.negative_scale);
        let x0 = moment.after(&predictions, x0)?;
        Ok(Guided {
            x0,
            negative: predictions.negative,
        })
    }
}

/// The same as a hook: positive and negative are those of the guidance, the empty text belongs to the hook.
#[derive(Clone, Debug)]
pub struct PerpendicularFunction {
    /// The empty text.
    pub empty: Vec<Conditioning>,
    /// How much of the negative direction is taken away.
    pub negative_scale: f64,
}

impl GuidanceFunction for PerpendicularFunction {
    fn guide(&self, moment: &Moment<'_>, predictions: &Predictions) -> Result<Tensor<4>> {
        let empty = moment.predict_others(&self.empty)?;
        Ok(join(predictions, &empty, self.negative_scale))
    }
}

fn join(predictions: &Predictions, empty: &Tensor<4>, negative_scale: f64) -> Tensor<4> {
    let positive = predictions.positive.clone() - empty.clone();
    let negative = predictions.negative.clone() - empty.clone();
    let along = (negative.clone() * positive.clone()).sum() / positive.clone().square().sum();
    let perpendicular = negative - positive.clone() * along.reshape([1, 1, 1, 1]);
    let direction = positive - perpendicular.mul_scalar(negative_scale);
    empty.clone() + direction.mul_scalar(predictions.scale)
}
