//! The compact network of Real-ESRGAN (`SRVGGNetCompact`): plain convolutions at the size of the picture, the last of which gives each
//! pixel's square of new ones.

use burn::tensor::Tensor;

use super::{Upscaler, convolution, numbers, square_root};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, pixel_shuffle, upsample_nearest};
use crate::weights::Scope;

/// A compact network.
#[derive(Debug)]
pub(super) struct Compact {
    /// Convolutions, each with the slopes of the activation that follows: `[1, outputs, 1, 1]`, or one for all.
    layers: Vec<(Conv2d, Tensor<4>)>,
    last: Conv2d,
    scale: usize,
    channels: usize,
}

impl Compact {
    /// Builds it from the numbered layers `body`: convolutions at even numbers, activations at odd ones.
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let body = scope.enter("body");
        let numbers = numbers(scope, "body");
        let count = numbers.len();
        if count.is_multiple_of(2) || numbers.iter().enumerate().any(|(at, number)| at != *number) {
            return Err(Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: format!(
                    "a compact network has a convolution, an activation, a convolution and so on up to a last convolution, but its layers are {numbers:?}"
                ),
            });
        }
        let [_, channels, ..] = body.dims::<4>("0.weight")?;
        let mut inputs = channels;
        let mut layers = Vec::with_capacity(count / 2);
        for number in (0..count - 1).step_by(2) {
            let place = body.enter(number);
            let [outputs, ..] = place.dims::<4>("weight")?;
            let activation = body.enter(number + 1);
            let [slopes] = activation.dims("weight")?;
            if slopes != 1 && slopes != outputs {
                let expected = format!("one slope for each of {outputs} channels");
                return Err(activation.shape_error("weight", expected, &[slopes]));
            }
            let slopes = activation
                .tensor("weight", [slopes], device)?
                .reshape([1, slopes, 1, 1]);
            layers.push((convolution(&place, [outputs, inputs], 3, device)?, slopes));
            inputs = outputs;
        }
        let place = body.enter(count - 1);
        let [outputs, ..] = place.dims::<4>("weight")?;
        let scale = outputs.checked_div(channels).and_then(square_root);
        let scale = scale
            .filter(|scale| scale * scale * channels == outputs)
            .ok_or_else(|| {
                let expected = format!("a square number times {channels} channels");
                place.shape_error("weight", expected, &[outputs])
            })?;
        Ok(Self {
            layers,
            last: convolution(&place, [outputs, inputs], 3, device)?,
            scale,
            channels,
        })
    }
}

impl Upscaler for Compact {
    fn scale(&self) -> usize {
        self.scale
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn forward(&self, picture: Tensor<4>) -> Tensor<4> {
        let x = self
            .layers
            .iter()
            .fold(picture.clone(), |x, (convolution, slopes)| {
                let x = convolution.forward(x);
                x.clone().clamp_min(0.0) + x.clamp_max(0.0) * slopes.clone()
            });
        pixel_shuffle(self.last.forward(x), self.scale) + upsample_nearest(picture, self.scale)
    }
}
