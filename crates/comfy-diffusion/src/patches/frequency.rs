//! Scaling low and high spatial frequencies differently.
//!
//! The low ones are a rectangle around zero in the discrete Fourier transform of each plane. Taking it out and transforming back is
//! a product with two small matrices, so no device needs a Fourier transform.

use std::collections::BTreeSet;
use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, TensorData};

use crate::Result;
use crate::sampling::hooks::BeforeGuidance;
use crate::sampling::{Moment, Predictions};

/// The planes with their frequencies from −`cutoff` to `cutoff` − 1 in both directions (as far as they exist, [height, width])
/// scaled by `low`, and all others by `high`. What is imaginary is dropped.
pub(super) fn scale_frequencies(
    x: Tensor<4>,
    cutoff: [usize; 2],
    low: f64,
    high: f64,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    let [row_real, row_imaginary] = band(height, cutoff[0], &device);
    let [column_real, column_imaginary] = band(width, cutoff[1], &device);
    let planes: Tensor<3> = x.clone().reshape([batch * channels, height, width]);
    let apply = |rows: Tensor<3>, columns: Tensor<3>| {
        let rows = rows.repeat_dim(0, batch * channels);
        let columns = columns.repeat_dim(0, batch * channels);
        rows.matmul(planes.clone()).matmul(columns.swap_dims(1, 2))
    };
    let within = apply(row_real, column_real) - apply(row_imaginary, column_imaginary);
    x.mul_scalar(high)
        + within
            .reshape([batch, channels, height, width])
            .mul_scalar(low - high)
}

/// The real and imaginary parts of the matrix that keeps the frequencies of a line from −`cutoff` to `cutoff` − 1.
fn band(size: usize, cutoff: usize, device: &Device) -> [Tensor<3>; 2] {
    // Frequencies that differ by the size are the same.
    let low: BTreeSet<usize> = (1..=cutoff)
        .map(|below| (size * cutoff - below) % size)
        .chain(0..cutoff.min(size))
        .collect();
    let part = |wave: fn(f64) -> f64| {
        let values: Vec<f32> = (0..size * size)
            .map(|index| {
                let distance = (index / size) as f64 - (index % size) as f64;
                let sum: f64 = low
                    .iter()
                    .map(|frequency| wave(TAU * *frequency as f64 * distance / size as f64))
                    .sum();
                (sum / size as f64) as f32
            })
            .collect();
        Tensor::from_data(TensorData::new(values, [1, size, size]), device)
    };
    [part(f64::cos), part(f64::sin)]
}

/// Scales low and high frequencies of the way from the negative to the positive prediction.
///
/// Source: C. Huang et al., "`FreSca`: scaling in frequency space enhances diffusion models" (2025).
#[derive(Clone, Copy, Debug)]
pub struct FrequencyScale {
    /// The factor of the low ones.
    pub low: f64,
    /// The factor of the high ones.
    pub high: f64,
    /// How many count as low on each side of zero.
    pub cutoff: usize,
}

impl BeforeGuidance for FrequencyScale {
    fn adjust(&self, _: &Moment<'_>, predictions: Predictions) -> Result<Predictions> {
        if !predictions.are_complete() {
            return Ok(predictions);
        }
        let [_, _, height, width] = predictions.positive.dims();
        let difference = predictions.positive.clone() - predictions.negative.clone();
        let cutoff = [height, width].map(|size| self.cutoff.min(size / 2));
        let scaled = scale_frequencies(difference, cutoff, self.low, self.high);
        Ok(Predictions {
            positive: scaled + predictions.negative.clone(),
            ..predictions
        })
    }
}
