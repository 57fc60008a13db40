//! Guidance by parts of the predictions' directions.

use burn::tensor::Tensor;

use super::per_item;
use crate::Result;
use crate::sampling::hooks::BeforeGuidance;
use crate::sampling::{Key, Moment, Predictions};

/// Guidance whose part along the positive prediction is damped, whose length is limited, and which has momentum.
///
/// Source: S. Sadat, O. Hilliges, R. Weber, "Eliminating oversaturation and artifacts of high guidance scales in diffusion models"
/// (2024), algorithm 1.
#[derive(Clone, Debug)]
pub struct ProjectedGuidance {
    eta: f64,
    longest: f64,
    momentum: f64,
    /// The noise level and the guidance of the step before.
    last: Key<(f32, Tensor<4>)>,
}

impl ProjectedGuidance {
    /// `eta` is what is left of the part along the positive prediction, `longest` the limit of guidance (0 for none), and
    /// `momentum` the part of the earlier guidance that is added.
    pub fn new(eta: f64, longest: f64, momentum: f64) -> Self {
        Self {
            eta,
            longest,
            momentum,
            last: Key::new(),
        }
    }
}

impl BeforeGuidance for ProjectedGuidance {
    fn adjust(&self, moment: &Moment<'_>, predictions: Predictions) -> Result<Predictions> {
        let difference = predictions.positive.clone() - predictions.negative.clone();
        let mut guidance = difference.clone();
        if self.momentum != 0.0 {
            let earlier = moment.memory().get(&self.last);
            if let Some((_, earlier)) = earlier.filter(|(sigma, _)| moment.sigma() <= *sigma) {
                guidance = guidance + earlier.mul_scalar(self.momentum);
            }
            moment
                .memory()
                .set(&self.last, (moment.sigma(), guidance.clone()));
        }
        if self.longest > 0.0 {
            let factor = per_item::norm(guidance.clone())
                .recip()
                .mul_scalar(self.longest);
            guidance = guidance * factor.clamp_max(1.0);
        }
        let length = per_item::norm(predictions.positive.clone()).clamp_min(1e-12);
        let direction = predictions.positive.clone() / length;
        let along = direction.clone() * per_item::sum(guidance.clone() * direction);
        let guidance = guidance + along.mul_scalar(self.eta - 1.0);
        // Guidance will stretch the difference by the scale.
        let positive =
            predictions.negative.clone() + guidance + difference.div_scalar(predictions.scale);
        Ok(Predictions {
            positive,
            ..predictions
        })
    }
}

/// Leaves of the negative prediction's noise only the part along the strongest common direction of both.
///
/// Source: M. Kwon et al., "TCFG: tangential damping classifier-free guidance" (2025), algorithm 1.
#[derive(Clone, Copy, Debug)]
pub struct TangentialDamping;

impl BeforeGuidance for TangentialDamping {
    fn adjust(&self, moment: &Moment<'_>, predictions: Predictions) -> Result<Predictions> {
        if !predictions.are_complete() {
            return Ok(predictions);
        }
        let noise = |x0: &Tensor<4>| moment.x().clone() - x0.clone();
        let (negative, positive) = (noise(&predictions.negative), noise(&predictions.positive));
        let dot = |left: &Tensor<4>, right: &Tensor<4>| per_item::sum(left.clone() * right.clone());
        let (first, second) = (dot(&negative, &negative), dot(&positive, &positive));
        let mixed = dot(&negative, &positive);
        // The first right singular vector v of the two noises as rows is the first eigenvector (a, b) of the matrix of their
        // products, applied to the rows.
        let half = (first.clone() - second.clone()).div_scalar(2.0);
        let largest = (first.clone() + second).div_scalar(2.0)
            + (half.square() + mixed.clone().square()).sqrt();
        let (a, b) = (mixed.clone(), largest - first.clone());
        let direction = negative.clone() * a.clone() + positive * b.clone();
        let square = dot(&direction, &direction);
        let along = dot(&negative, &direction) / square.clone();
        // Without a mixed part the eigenvector is one of the rows.
        let is_degenerate = square.lower_equal_elem(0.0);
        let damped =
            (direction * along).mask_where(is_degenerate.expand(negative.dims()), negative);
        Ok(Predictions {
            negative: moment.x().clone() - damped,
            ..predictions
        })
    }
}
