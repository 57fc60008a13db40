//! Guidance away from a picture that is blurred where the model looks most.
//!
//! Source: S. Hong, G. Lee, W. Jang, S. Kim, "Improving sample quality of diffusion models using self-attention guidance" (2023),
//! algorithm 2.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData, activation};

use crate::models::hooks::{
    AttentionFunction, AttentionInput, AttentionKind, AttentionPlace, AttentionSite, Part, Place,
};
use crate::ops::{Mask, Strategies, attention};
use crate::sampling::hooks::AfterGuidance;
use crate::sampling::{Hooks, Key, Moment, Predictions};
use crate::{Error, Result};

/// The number of the list of conditions whose attention counts: the negative one.
const WATCHED: usize = 1;
/// Taps of the blur.
const TAPS: usize = 9;
/// A latent of this size or less is too small for the blur.
const TOO_SMALL: usize = 4;
/// A cell is looked at much when the attention that it gets sums up to more than this.
const MUCH: f32 = 1.0;

/// One more call of the network, with a blurred picture under the negative conditions.
#[derive(Clone, Debug)]
pub struct SelfAttentionGuidance {
    scale: f64,
    blur: f64,
    seen: Key<Tensor<2>>,
}

impl SelfAttentionGuidance {
    /// `scale` is how far to go away from the blurred picture, `blur` the deviation of the blur in cells.
    pub fn new(scale: f64, blur: f64) -> Self {
        Self {
            scale,
            blur,
            seen: Key::new(),
        }
    }

    /// The hooks with this guidance among them.
    #[must_use]
    pub fn install(self, mut hooks: Hooks) -> Hooks {
        let middle = AttentionPlace {
            kind: AttentionKind::ToItself,
            place: Place {
                part: Part::Middle,
                stage: 0,
            },
            block: Some(0),
        };
        let watcher = Watcher {
            seen: self.seen.clone(),
        };
        hooks.network = hooks.network.with_attention(middle, Arc::new(watcher));
        hooks.with_after(Arc::new(self)).with_negative()
    }
}

/// Attention that remembers how much each key was looked at under the watched conditions.
#[derive(Clone, Debug)]
struct Watcher {
    /// [batch, keys]
    seen: Key<Tensor<2>>,
}

impl AttentionFunction for Watcher {
    fn attend(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
        heads: usize,
        strategies: &Strategies,
    ) -> Result<Tensor<3>> {
        let AttentionInput { query, key, value } = input;
        let call = site.site.call;
        if let Some(part) = call.lists.iter().position(|list| *list == WATCHED) {
            let batch = query.dims()[0] / call.lists.len();
            let of_part = |tokens: &Tensor<3>| {
                let [_, count, width] = tokens.dims();
                let part = tokens.clone().narrow(0, part * batch, batch);
                part.reshape([batch, count, heads, width / heads])
                    .swap_dims(1, 2)
            };
            let size = query.dims()[2] / heads;
            let scores = of_part(&query).matmul(of_part(&key).swap_dims(2, 3));
            let scores = activation::softmax(scores.mul_scalar(1.0 / (size as f64).sqrt()), 3);
            let keys = key.dims()[1];
            let seen = scores.mean_dim(1).sum_dim(2).reshape([batch, keys]);
            call.memory.set(&self.seen, seen);
        }
        Ok(attention(strategies, query, key, value, heads, Mask::None))
    }
}

impl AfterGuidance for SelfAttentionGuidance {
    fn adjust(
        &self,
        moment: &Moment<'_>,
        predictions: &Predictions,
        x0: Tensor<4>,
    ) -> Result<Tensor<4>> {
        let [_, _, height, width] = x0.dims();
        if height.min(width) <= TOO_SMALL {
            return Ok(x0);
        }
        let seen = moment.memory().get(&self.seen).ok_or_else(|| {
            Error::input(
                "self-attention guidance needs a negative condition beside the positive one, and this guidance has none",
            )
        })?;
        let negative = &predictions.negative;
        let degraded = blurred_where_seen(negative, seen, self.blur)?;
        let x = moment.x().clone() + degraded.clone() - negative.clone();
        let [again] = moment.predict_with(moment.network_hooks(), &x, [predictions.lists[1]])?;
        Ok(x0 + (degraded - again).mul_scalar(self.scale))
    }
}

/// x with a blur where the sums of attention are high; they belong to a smaller picture of the same shape.
pub(super) fn blurred_where_seen(x: &Tensor<4>, seen: Tensor<2>, blur: f64) -> Result<Tensor<4>> {
    let [batch, _, height, width] = x.dims();
    let [members, total] = seen.dims();
    let rows = rows_of(total, height as f64 / width as f64).filter(|_| members == batch).ok_or_else(|| {
        Error::input(format!(
            "self-attention guidance cannot lay out {total} tokens for a latent of {height} by {width}; the latent is too small"
        ))
    })?;
    let columns = total / rows;
    let seen: Vec<f32> = seen
        .try_into_vec_as()
        .map_err(|error| Error::Device(format!("cannot read a tensor: {error}")))?;
    let mask: Vec<f32> = (0..batch * height * width)
        .map(|index| {
            let (member, cell) = (index / (height * width), index % (height * width));
            let (row, column) = (cell / width * rows / height, cell % width * columns / width);
            let attention = seen[member * total + row * columns + column];
            if attention > MUCH { 1.0 } else { 0.0 }
        })
        .collect();
    let mask = Tensor::<4>::from_data(
        TensorData::new(mask, [batch, 1, height, width]),
        &x.device(),
    );
    let difference = gaussian_blur(x, blur) - x.clone();
    Ok(x.clone() + difference * mask)
}

/// The number of rows of a picture of so many cells, near the one that has the aspect (height over width).
fn rows_of(total: usize, aspect: f64) -> Option<usize> {
    let ideal = (aspect * total as f64).sqrt().round_ties_even() as usize;
    let reach = ((total as f64).sqrt() / 2.0) as usize;
    (0..reach)
        .flat_map(|offset| [ideal + offset, ideal.saturating_sub(offset).max(1)])
        .find(|rows| *rows > 0 && total.is_multiple_of(*rows))
}

/// A Gaussian blur with a mirror at the border.
fn gaussian_blur(x: &Tensor<4>, deviation: f64) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let weights: Vec<f64> = (0..TAPS)
        .map(|tap| tap as f64 - (TAPS / 2) as f64)
        .map(|distance| (-0.5 * (distance / deviation).powi(2)).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    // The blur of a line as a matrix.
    let matrix = |size: usize| {
        let mut values = vec![0.0_f32; size * size];
        for place in 0..size {
            for (tap, weight) in weights.iter().enumerate() {
                let from = place as i64 + tap as i64 - (TAPS / 2) as i64;
                let last = size as i64 - 1;
                let mirrored = (last - (last - from.abs()).abs()) as usize;
                values[place * size + mirrored] += (weight / total) as f32;
            }
        }
        let matrix = Tensor::<3>::from_data(TensorData::new(values, [1, size, size]), &x.device());
        matrix.repeat_dim(0, batch * channels)
    };
    let planes: Tensor<3> = x.clone().reshape([batch * channels, height, width]);
    matrix(height)
        .matmul(planes)
        .matmul(matrix(width).swap_dims(1, 2))
        .reshape([batch, channels, height, width])
}
