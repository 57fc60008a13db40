//! Other ways to join a positive and a negative prediction.

use burn::tensor::Tensor;

use super::per_item;
use crate::Result;
use crate::sampling::hooks::{AfterGuidance, GuidanceFunction};
use crate::sampling::{Moment, Predictions};

/// Guidance on the velocity, whose deviation is drawn back to that of the positive prediction.
///
/// Source: S. Lin et al., "Common diffusion noise schedules and sample steps are flawed" (2023), §3.4.
#[derive(Clone, Copy, Debug)]
pub struct RescaledGuidance {
    /// How much of the result is drawn back, from 0 to 1.
    pub multiplier: f64,
}

impl GuidanceFunction for RescaledGuidance {
    fn guide(&self, moment: &Moment<'_>, predictions: &Predictions) -> Result<Tensor<4>> {
        let sigma = f64::from(moment.sigma());
        let variance = sigma * sigma + 1.0;
        let rest = moment.x().clone().div_scalar(variance);
        let velocity =
            |x0: &Tensor<4>| (rest.clone() - x0.clone()).mul_scalar(variance.sqrt() / sigma);
        let (positive, negative) = (
            velocity(&predictions.positive),
            velocity(&predictions.negative),
        );
        let direction = positive.clone() - negative.clone();
        let guided = negative + direction.mul_scalar(predictions.scale);
        let ratio = per_item::deviation(positive) / per_item::deviation(guided.clone());
        let factor = ratio
            .mul_scalar(self.multiplier)
            .add_scalar(1.0 - self.multiplier);
        Ok(rest - (guided * factor).mul_scalar(sigma / variance.sqrt()))
    }
}

/// Guidance above some noise level only, with a limit to how long the result may become.
///
/// Source: Lumina-Image 2.0, "Lumina-Image 2.0: a unified and efficient image generative framework" (2025), §3.3.
#[derive(Clone, Copy, Debug)]
pub struct RenormalizedGuidance {
    /// Below this noise level there is guidance; above it the positive prediction is taken.
    pub below_sigma: f64,
    /// How long the result may be, in lengths of the positive prediction; 0 sets no limit.
    pub limit: f64,
}

impl GuidanceFunction for RenormalizedGuidance {
    fn guide(&self, moment: &Moment<'_>, predictions: &Predictions) -> Result<Tensor<4>> {
        let Predictions {
            positive,
            negative,
            scale,
            ..
        } = predictions;
        if f64::from(moment.sigma()) >= self.below_sigma {
            return Ok(positive.clone());
        }
        let guided = negative.clone() + (positive.clone() - negative.clone()).mul_scalar(*scale);
        if self.limit <= 0.0 {
            return Ok(guided);
        }
        let longest = per_item::norm(positive.clone()).mul_scalar(self.limit);
        let factor = (longest / per_item::norm(guided.clone())).clamp_max(1.0);
        Ok(guided * factor)
    }
}

/// Scales the negative prediction so that it fits the positive one best.
///
/// Source: W. Fan et al., "CFG-Zero*: improved classifier-free guidance for flow matching models" (2025), equation 7.
#[derive(Clone, Copy, Debug)]
pub struct ZeroStar;

impl AfterGuidance for ZeroStar {
    fn adjust(
        &self,
        moment: &Moment<'_>,
        predictions: &Predictions,
        x0: Tensor<4>,
    ) -> Result<Tensor<4>> {
        let noise = |x0: &Tensor<4>| moment.x().clone() - x0.clone();
        let (positive, negative) = (noise(&predictions.positive), noise(&predictions.negative));
        let square = per_item::sum(negative.clone().square()).add_scalar(1e-8);
        let best = per_item::sum(positive * negative) / square;
        // out + u·(α − 1) + scale·u·(1 − α)
        let factor = best.sub_scalar(1.0).mul_scalar(1.0 - predictions.scale);
        Ok(x0 + predictions.negative.clone() * factor)
    }
}

/// Shortens the result, cell by cell, to the length that the positive prediction has there.
#[derive(Clone, Copy, Debug)]
pub struct LimitedNorm {
    /// A factor on the result.
    pub strength: f64,
}

impl AfterGuidance for LimitedNorm {
    fn adjust(
        &self,
        _: &Moment<'_>,
        predictions: &Predictions,
        x0: Tensor<4>,
    ) -> Result<Tensor<4>> {
        let length = |x: Tensor<4>| x.square().sum_dim(1).sqrt();
        let ratio = length(predictions.positive.clone()) / length(x0.clone()).add_scalar(1e-8);
        Ok(x0 * ratio.clamp(0.0, 1.0).mul_scalar(self.strength))
    }
}

/// Divides the predicted noise by a number.
///
/// Source: M. Ning et al., "Elucidating the exposure bias in diffusion models" (2023).
#[derive(Clone, Copy, Debug)]
pub struct EpsilonScale {
    /// The number, not 0.
    pub factor: f64,
}

impl AfterGuidance for EpsilonScale {
    fn adjust(&self, moment: &Moment<'_>, _: &Predictions, x0: Tensor<4>) -> Result<Tensor<4>> {
        let x = moment.x();
        Ok(x.clone() - (x.clone() - x0).div_scalar(self.factor))
    }
}

/// Mixes the guided result with the stretched positive prediction, by how much the direction of the negative one resembles theirs.
#[derive(Clone, Copy, Debug)]
pub struct Mahiro;

impl AfterGuidance for Mahiro {
    fn adjust(
        &self,
        _: &Moment<'_>,
        predictions: &Predictions,
        x0: Tensor<4>,
    ) -> Result<Tensor<4>> {
        let leap = predictions.positive.clone().mul_scalar(predictions.scale);
        let negative_leap = predictions.negative.clone().mul_scalar(predictions.scale);
        let soft = |x: Tensor<4>| x.clone().abs().sqrt() * x.sign();
        let negative = soft(negative_leap);
        let merged = soft((leap.clone() + x0.clone()).div_scalar(2.0));
        let length = |x: &Tensor<4>| x.clone().square().sum_dim(1).sqrt().clamp_min(1e-8);
        let cosine =
            (negative.clone() * merged.clone()).sum_dim(1) / (length(&negative) * length(&merged));
        let share = cosine
            .mean()
            .add_scalar(1.0)
            .mul_scalar(0.5)
            .reshape([1, 1, 1, 1]);
        // A share of the guided result, and the rest of the leap.
        Ok(leap.clone() + (x0 - leap) * share)
    }
}
