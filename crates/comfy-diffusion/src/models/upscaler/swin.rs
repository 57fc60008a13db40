//! `SwinIR` (Liang et al. 2021): attention within windows that are shifted from block to block, then one of four ways to a larger picture.

use burn::tensor::{Tensor, activation::leaky_relu};

use super::window::Block;
use super::{Sides, Upscaler, convolution, extend, numbers, square_root};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{
    Conv2d, LayerNorm, Strategies, pixel_shuffle, pixel_unshuffle, upsample_nearest_2x,
};
use crate::weights::Scope;

/// What the training pictures had on average in red, green and blue; it is taken away before and added after.
const MEAN: [f32; 3] = [0.4488, 0.4371, 0.4040];

/// The smallest side of a picture.
const LEAST_SIDE: usize = 16;

const EPSILON: f64 = 1e-5;

/// A network of this kind.
#[derive(Debug)]
pub(super) struct SwinIr {
    first: Conv2d,
    /// Before the groups.
    first_norm: Option<LayerNorm>,
    groups: Vec<Group>,
    norm: LayerNorm,
    body: Body,
    end: End,
    /// The side of the squares of pixels that become channels.
    unshuffle: usize,
    window: usize,
    channels: usize,
    /// Values of pixels are multiplied with this.
    range: f64,
    strategies: Strategies,
}

/// Blocks and a convolution, around which goes a shortcut.
#[derive(Debug)]
struct Group {
    blocks: Vec<Block>,
    body: Body,
}

/// One convolution, or three of which the middle ones are narrower.
#[derive(Debug)]
struct Body(Vec<Conv2d>);

/// How features become a larger picture.
#[expect(clippy::large_enum_variant, reason = "a network has a few")]
#[derive(Debug)]
enum End {
    /// Each feature's place becomes a square of pixels at once.
    Direct { step: Conv2d, factor: usize },
    /// The same in steps, each with its factor, between two convolutions.
    Steps {
        before: Conv2d,
        steps: Vec<(Conv2d, usize)>,
        last: Conv2d,
    },
    /// Doubling and a convolution, several times.
    Doublings {
        before: Conv2d,
        doublings: Vec<Conv2d>,
        detail: Conv2d,
        last: Conv2d,
    },
    /// The size stays, and what is found is added to the picture.
    Residual { last: Conv2d },
}

impl SwinIr {
    /// Builds it from its tensors.
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let [features, inputs, ..] = scope.dims::<4>("conv_first.weight")?;
        let channels = if scope.has("conv_last.weight") {
            scope.dims::<4>("conv_last.weight")?[0]
        } else {
            inputs
        };
        let unshuffle = inputs.checked_div(channels).and_then(square_root);
        let unshuffle = unshuffle
            .filter(|side| side * side * channels == inputs)
            .ok_or_else(|| {
                let expected = format!("a square number times {channels} channels as inputs");
                scope.shape_error("conv_first.weight", expected, &[features, inputs])
            })?;
        let groups: Vec<Group> = numbers(scope, "layers")
            .into_iter()
            .map(|number| Group::load(&scope.enter("layers").enter(number), features, device))
            .collect::<Result<_>>()?;
        let window = groups.first().and_then(|group| group.blocks.first());
        let window = window
            .map(Block::window)
            .ok_or_else(|| Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: "a SwinIR has at least one block, this one has none".to_owned(),
            })?;
        let norm = |name: &str| {
            let place = scope.enter(name);
            let [width] = place.dims("weight")?;
            if width == features {
                LayerNorm::load(&place, EPSILON, device)
            } else {
                Err(place.shape_error("weight", format!("[{features}]"), &[width]))
            }
        };
        let end = End::load(scope, features, channels, device)?;
        let network = Self {
            first: convolution(&scope.enter("conv_first"), [features, inputs], 3, device)?,
            first_norm: scope
                .has_scope("patch_embed.norm")
                .then(|| norm("patch_embed.norm"))
                .transpose()?,
            groups,
            norm: norm("norm")?,
            body: Body::load(&scope.enter("conv_after_body"), features, device)?,
            end,
            unshuffle,
            window,
            channels,
            // Only the networks against traces of JPEG have windows of seven, and they were trained on bytes.
            range: if window == 7 { 255.0 } else { 1.0 },
            strategies: *device.strategies(),
        };
        if network.end.scale() < unshuffle {
            let expected = format!(
                "no more inputs than a scale of {} undoes",
                network.end.scale()
            );
            return Err(scope.shape_error("conv_first.weight", expected, &[features, inputs]));
        }
        Ok(network)
    }

    /// What is taken away from each channel.
    fn mean(&self, like: &Tensor<4>) -> Tensor<4> {
        let mean = if self.channels == MEAN.len() {
            MEAN.to_vec()
        } else {
            vec![0.0; self.channels]
        };
        Tensor::<1>::from_floats(mean.as_slice(), &like.device()).reshape([1, self.channels, 1, 1])
    }

    fn features(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let tokens = tokens(x.clone());
        let tokens = match &self.first_norm {
            Some(norm) => norm.forward(tokens),
            None => tokens,
        };
        let tokens = self
            .groups
            .iter()
            .fold(tokens, |x, group| group.forward(x, [height, width]));
        self.body
            .forward(image(self.norm.forward(tokens), [height, width]))
            + x
    }
}

impl Upscaler for SwinIr {
    fn scale(&self) -> usize {
        self.end.scale() / self.unshuffle
    }

    fn channels(&self) -> usize {
        self.channels
    }

    fn sides(&self) -> Sides {
        Sides {
            least: LEAST_SIDE,
            multiple: self.unshuffle * self.unshuffle,
        }
    }

    fn forward(&self, picture: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = picture.dims();
        // Whole windows, by a mirror image of what may end in one already.
        let whole = self.window * self.unshuffle;
        let picture = extend(
            picture,
            [height, width].map(|side| side.next_multiple_of(whole)),
        );
        let mean = self.mean(&picture);
        let picture = (picture - mean.clone()) * self.range;
        let first = self
            .first
            .forward(pixel_unshuffle(picture.clone(), self.unshuffle));
        let features = self.features(first);
        let result = match &self.end {
            End::Residual { last } => picture + last.forward(features),
            end => end.forward(features, &self.strategies),
        };
        (result / self.range + mean)
            .narrow(2, 0, height * self.scale())
            .narrow(3, 0, width * self.scale())
    }
}

impl Group {
    fn load(scope: &Scope, features: usize, device: &ComputeDevice) -> Result<Self> {
        let group = scope.enter("residual_group");
        let blocks = numbers(&group, "blocks").into_iter().map(|number| {
            // Every second block looks across the borders of the windows of the others.
            let is_shifted = number % 2 == 1;
            let place = group.enter("blocks").enter(number);
            Block::load(&place, features, is_shifted, device)
        });
        Ok(Self {
            blocks: blocks.collect::<Result<_>>()?,
            body: Body::load(&scope.enter("conv"), features, device)?,
        })
    }

    fn forward(&self, x: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        let inner = self
            .blocks
            .iter()
            .fold(x.clone(), |x, block| block.forward(x, size));
        tokens(self.body.forward(image(inner, size))) + x
    }
}

impl Body {
    fn load(scope: &Scope, features: usize, device: &ComputeDevice) -> Result<Self> {
        if scope.has("weight") {
            return Ok(Self(vec![convolution(scope, [features; 2], 3, device)?]));
        }
        let [narrow, ..] = scope.dims::<4>("0.weight")?;
        let load =
            |name, channels, kernel| convolution(&scope.enter(name), channels, kernel, device);
        Ok(Self(vec![
            load("0", [narrow, features], 3)?,
            load("2", [narrow, narrow], 1)?,
            load("4", [features, narrow], 3)?,
        ]))
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut layers = self.0.iter();
        let x = layers.next().map_or(x.clone(), |layer| layer.forward(x));
        layers.fold(x, |x, layer| layer.forward(leaky_relu(x, 0.2)))
    }
}

impl End {
    fn load(
        scope: &Scope,
        features: usize,
        channels: usize,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let load = |name: &str, shape| convolution(&scope.enter(name), shape, 3, device);
        let factor = |name: &str, outputs: usize, inputs: usize| {
            let factor = outputs.checked_div(inputs).and_then(square_root);
            factor
                .filter(|factor| factor * factor * inputs == outputs)
                .ok_or_else(|| {
                    let expected = format!("a square number times {inputs} channels");
                    scope.shape_error(name, expected, &[outputs])
                })
        };
        if !scope.has_scope("conv_before_upsample") {
            if !scope.has_scope("upsample") {
                return Ok(Self::Residual {
                    last: load("conv_last", [channels, features])?,
                });
            }
            let [outputs, ..] = scope.dims::<4>("upsample.0.weight")?;
            return Ok(Self::Direct {
                factor: factor("upsample.0.weight", outputs, channels)?,
                step: load("upsample.0", [outputs, features])?,
            });
        }
        let [wide, ..] = scope.dims::<4>("conv_before_upsample.0.weight")?;
        let before = load("conv_before_upsample.0", [wide, features])?;
        let last = load("conv_last", [channels, wide])?;
        let doublings = (1..)
            .map(|number| format!("conv_up{number}"))
            .take_while(|name| scope.has_scope(name))
            .map(|name| load(&name, [wide, wide]))
            .collect::<Result<Vec<_>>>()?;
        if !doublings.is_empty() {
            return Ok(Self::Doublings {
                before,
                doublings,
                detail: load("conv_hr", [wide, wide])?,
                last,
            });
        }
        let steps = numbers(scope, "upsample").into_iter().map(|number| {
            let name = format!("upsample.{number}");
            let weight = format!("{name}.weight");
            let [outputs, ..] = scope.dims::<4>(&weight)?;
            let step = load(&name, [outputs, wide])?;
            Ok((step, factor(&weight, outputs, wide)?))
        });
        Ok(Self::Steps {
            before,
            steps: steps.collect::<Result<_>>()?,
            last,
        })
    }

    fn scale(&self) -> usize {
        match self {
            Self::Direct { factor, .. } => *factor,
            Self::Steps { steps, .. } => steps.iter().map(|(_, factor)| factor).product(),
            Self::Doublings { doublings, .. } => 1 << doublings.len(),
            Self::Residual { .. } => 1,
        }
    }

    fn forward(&self, x: Tensor<4>, strategies: &Strategies) -> Tensor<4> {
        match self {
            Self::Direct { step, factor } => pixel_shuffle(step.forward(x), *factor),
            Self::Steps {
                before,
                steps,
                last,
            } => {
                let x = leaky_relu(before.forward(x), 0.01);
                let x = steps.iter().fold(x, |x, (step, factor)| {
                    pixel_shuffle(step.forward(x), *factor)
                });
                last.forward(x)
            }
            Self::Doublings {
                before,
                doublings,
                detail,
                last,
            } => {
                let x = leaky_relu(before.forward(x), 0.01);
                let x = doublings.iter().fold(x, |x, doubling| {
                    leaky_relu(doubling.forward(upsample_nearest_2x(strategies, x)), 0.2)
                });
                last.forward(leaky_relu(detail.forward(x), 0.2))
            }
            Self::Residual { last } => last.forward(x),
        }
    }
}

/// `[batch, height · width, channels]` of `[batch, channels, height, width]`.
fn tokens(x: Tensor<4>) -> Tensor<3> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, channels, height * width]).swap_dims(1, 2)
}

/// The reverse of [`tokens`].
fn image(x: Tensor<3>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [batch, _, channels] = x.dims();
    x.swap_dims(1, 2).reshape([batch, channels, height, width])
}
