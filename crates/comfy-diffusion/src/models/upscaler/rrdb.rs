//! ESRGAN (Wang et al. 2018): densely connected convolutions at the size of the picture, then convolutions after each doubling. Also
//! ESRGAN+ (Rakotonirina and Rasoanaivo 2020) and Real-ESRGAN (Wang et al. 2021), which may put blocks of pixels into channels first.

use burn::tensor::{Tensor, activation::leaky_relu};

use super::{Sides, Upscaler, convolution, numbers, square_root};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{Conv2d, Strategies, pixel_unshuffle, upsample_nearest_2x};
use crate::weights::Scope;

/// The slope of activations below zero.
const SLOPE: f64 = 0.2;

/// What a residual counts beside what it is added to.
const RESIDUAL: f64 = 0.2;

/// Convolutions of a dense block.
const DENSE: usize = 5;

/// An ESRGAN.
#[derive(Debug)]
pub(super) struct Rrdb {
    first: Conv2d,
    blocks: Vec<[Dense; 3]>,
    body: Conv2d,
    doublings: Vec<Conv2d>,
    detail: Conv2d,
    last: Conv2d,
    /// The side of the squares of pixels that become channels.
    unshuffle: usize,
    channels: usize,
    strategies: Strategies,
}

impl Rrdb {
    /// Builds it from tensors with the names of Real-ESRGAN.
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let [features, inputs, ..] = scope.dims::<4>("conv_first.weight")?;
        let [channels, ..] = scope.dims::<4>("conv_last.weight")?;
        let unshuffle = inputs.checked_div(channels).and_then(square_root);
        let unshuffle = unshuffle
            .filter(|side| [1, 2, 4].contains(side) && side * side * channels == inputs)
            .ok_or_else(|| {
                let shape = [features, inputs];
                let expected =
                    format!("1, 4 or 16 times the {channels} channels of conv_last as inputs");
                scope.shape_error("conv_first.weight", expected, &shape)
            })?;
        let wide = |name: &str| convolution(&scope.enter(name), [features; 2], 3, device);
        let doublings = (1..)
            .map(|number| format!("conv_up{number}"))
            .take_while(|name| scope.has_scope(name))
            .map(|name| wide(&name))
            .collect::<Result<Vec<_>>>()?;
        if 1 << doublings.len() < unshuffle {
            let expected = format!("no more inputs than {} doublings undo", doublings.len());
            return Err(scope.shape_error("conv_first.weight", expected, &[features, inputs]));
        }
        let blocks = numbers(scope, "body").into_iter().map(|number| {
            let block = scope.enter("body").enter(number);
            let dense = |name| Dense::load(&block.enter(name), features, device);
            Ok([dense("rdb1")?, dense("rdb2")?, dense("rdb3")?])
        });
        Ok(Self {
            first: convolution(&scope.enter("conv_first"), [features, inputs], 3, device)?,
            blocks: blocks.collect::<Result<_>>()?,
            body: wide("conv_body")?,
            doublings,
            detail: wide("conv_hr")?,
            last: convolution(&scope.enter("conv_last"), [channels, features], 3, device)?,
            unshuffle,
            channels,
            strategies: *device.strategies(),
        })
    }
}

impl Upscaler for Rrdb {
    fn scale(&self) -> usize {
        (1 << self.doublings.len()) / self.unshuffle
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn sides(&self) -> Sides {
        Sides {
            least: 2,
            multiple: if self.unshuffle > 1 { 4 } else { 1 },
        }
    }

    fn forward(&self, picture: Tensor<4>) -> Tensor<4> {
        let first = self.first.forward(pixel_unshuffle(picture, self.unshuffle));
        let x = self.blocks.iter().fold(first.clone(), |x, block| {
            let changed = block.iter().fold(x.clone(), |x, dense| dense.forward(x));
            changed * RESIDUAL + x
        });
        let x = self.body.forward(x) + first;
        let x = self.doublings.iter().fold(x, |x, doubling| {
            let x = upsample_nearest_2x(&self.strategies, x);
            leaky_relu(doubling.forward(x), SLOPE)
        });
        self.last.forward(leaky_relu(self.detail.forward(x), SLOPE))
    }
}

/// Convolutions each of which sees what all before it gave.
#[derive(Debug)]
struct Dense {
    convolutions: Vec<Conv2d>,
    /// ESRGAN+'s way from the input to the second, from which another leads to the fourth.
    shortcut: Option<Conv2d>,
}

impl Dense {
    fn load(scope: &Scope, features: usize, device: &ComputeDevice) -> Result<Self> {
        let [growth, ..] = scope.dims::<4>("conv1.weight")?;
        let convolutions = (0..DENSE).map(|index| {
            let outputs = if index + 1 == DENSE { features } else { growth };
            let scope = scope.enter(format_args!("conv{}", index + 1));
            convolution(&scope, [outputs, features + index * growth], 3, device)
        });
        let shortcut = scope.enter("conv1x1");
        Ok(Self {
            convolutions: convolutions.collect::<Result<_>>()?,
            shortcut: scope
                .has_scope("conv1x1")
                .then(|| convolution(&shortcut, [growth, features], 1, device))
                .transpose()?,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut seen = vec![x.clone()];
        for (index, convolution) in self.convolutions.iter().enumerate() {
            let all = Tensor::cat(seen.clone(), 1);
            if index + 1 == DENSE {
                return convolution.forward(all) * RESIDUAL + x;
            }
            let next = leaky_relu(convolution.forward(all), SLOPE);
            seen.push(match (&self.shortcut, index) {
                (Some(shortcut), 1) => next + shortcut.forward(x.clone()),
                (Some(_), 3) => next + seen[2].clone(),
                _ => next,
            });
        }
        x
    }
}
