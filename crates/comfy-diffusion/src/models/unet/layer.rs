//! The stages of the network, and the layers that they are made of.

use burn::tensor::{Int, Tensor};

use super::super::{Activation, Observer};
use super::residual::ResidualBlock;
use super::transformer::SpatialTransformer;
use super::{Call, Hooking};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry, Strategies, upsample_nearest_2x};
use crate::residency::Part;
use crate::weights::Scope;

/// Layers that run one after the other; the file calls it a block.
#[derive(Debug)]
pub(super) struct Stage {
    layers: Vec<(String, Layer)>,
}

/// One layer. Which one it is shows in the names of its tensors.
#[derive(Debug)]
pub(super) enum Layer {
    Residual(Box<Part<ResidualBlock>>),
    Transformer(Box<SpatialTransformer>),
    /// The first layer of the network.
    Convolution(Part<Conv2d>),
    /// A convolution with a step of two.
    Downsample(Part<Conv2d>),
    /// Doubling, then a convolution.
    Upsample(Part<Conv2d>, Strategies),
}

impl Stage {
    /// The stages `name.0`, `name.1`, …
    pub(super) fn load_all(scope: &Scope, name: &str, device: &ComputeDevice) -> Result<Vec<Self>> {
        (0..scope.count(name))
            .map(|index| Self::load(scope, &format!("{name}.{index}"), device))
            .collect()
    }

    pub(super) fn load(scope: &Scope, name: &str, device: &ComputeDevice) -> Result<Self> {
        let layers = (0..scope.count(name))
            .map(|index| {
                let name = format!("{name}.{index}");
                Layer::load(&scope.enter(&name), &name, device).map(|layer| (name, layer))
            })
            .collect::<Result<_>>()?;
        Ok(Self { layers })
    }

    /// The channels that come out if `channels` go in; `contexts` collects the widths of texts that are read.
    pub(super) fn check(
        &self,
        scope: &Scope,
        channels: usize,
        embedding: usize,
        contexts: &mut Vec<usize>,
    ) -> Result<usize> {
        let mut channels = channels;
        for (name, layer) in &self.layers {
            let (expected, result) = layer.check(&scope.enter(name), embedding, contexts)?;
            if expected != channels {
                return Err(Error::UnknownModel {
                    path: scope.weights().path().to_owned(),
                    reason: format!(
                        "{}{name} takes {expected} channels, but the layer before it gives {channels}",
                        scope.prefix()
                    ),
                });
            }
            channels = result;
        }
        Ok(channels)
    }

    /// `size` is the height and width that an upsampling layer must give.
    pub(super) fn forward(
        &self,
        x: Tensor<4>,
        call: &mut Call,
        at: &Hooking<'_>,
        size: Option<[usize; 2]>,
    ) -> Result<Tensor<4>> {
        let mut x = x;
        for (name, layer) in &self.layers {
            x = layer.forward(x, call, at, size)?;
            (call.observe)(name, Activation::Image(&x));
        }
        Ok(x)
    }
}

impl Layer {
    fn load(scope: &Scope, name: &str, device: &ComputeDevice) -> Result<Self> {
        let convolution = |name: &str, geometry| {
            let target = device.clone();
            let load = move |scope: &Scope| Conv2d::load(scope, geometry, &target);
            Part::new(&scope.enter(name), load)
        };
        // Asked for by part, not by tensor: a layer that lacks one is known, and the error can name the tensor.
        if scope.has_scope("in_layers") {
            let target = device.clone();
            let block = Part::new(scope, move |scope| ResidualBlock::load(scope, &target));
            Ok(Self::Residual(Box::new(block)))
        } else if scope.has_scope("transformer_blocks") {
            let transformer = SpatialTransformer::load(scope, name, device)?;
            Ok(Self::Transformer(Box::new(transformer)))
        } else if scope.has_scope("op") {
            Ok(Self::Downsample(convolution("op", Geometry::HALVE)))
        } else if scope.has_scope("conv") {
            let convolution = convolution("conv", Geometry::same(3));
            Ok(Self::Upsample(convolution, *device.strategies()))
        } else if scope.has("weight") {
            Ok(Self::Convolution(convolution("", Geometry::same(3))))
        } else {
            Err(Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: format!(
                    "{} is no layer known here; its tensors are below {:?}",
                    scope.prefix(),
                    scope.children()
                ),
            })
        }
    }

    /// How many channels go in and come out. Whether the layer fits itself and an embedding of this width; `contexts` collects the widths
    /// of texts that are read.
    fn check(
        &self,
        scope: &Scope,
        embedding: usize,
        contexts: &mut Vec<usize>,
    ) -> Result<(usize, usize)> {
        match self {
            Self::Residual(block) => {
                let block = block.get()?;
                block.check(scope, embedding)?;
                Ok((block.inputs(), block.outputs()))
            }
            Self::Transformer(transformer) => {
                transformer.check(contexts)?;
                Ok((transformer.channels(), transformer.channels()))
            }
            Self::Convolution(convolution)
            | Self::Downsample(convolution)
            | Self::Upsample(convolution, _) => {
                let convolution = convolution.get()?;
                Ok((convolution.inputs(), convolution.outputs()))
            }
        }
    }

    fn forward(
        &self,
        x: Tensor<4>,
        call: &mut Call,
        at: &Hooking<'_>,
        size: Option<[usize; 2]>,
    ) -> Result<Tensor<4>> {
        Ok(match self {
            Self::Residual(block) => block.get()?.forward(x, &call.embedding),
            Self::Transformer(transformer) => {
                let observe: Observer = &mut *call.observe;
                transformer.forward(x, call.context.as_ref(), at, observe)?
            }
            Self::Convolution(convolution) | Self::Downsample(convolution) => {
                convolution.get()?.forward(x)
            }
            Self::Upsample(convolution, strategies) => {
                let [_, _, height, width] = x.dims();
                let doubled = [2 * height, 2 * width];
                let [rows, columns] = size.unwrap_or(doubled);
                // Where a size was odd on the way down, its double is one too large.
                let is_double = |size: usize, double: usize| size == double || size + 1 == double;
                let larger = if is_double(rows, doubled[0]) && is_double(columns, doubled[1]) {
                    let doubled = upsample_nearest_2x(strategies, x);
                    first(first(doubled, 2, rows), 3, columns)
                } else {
                    nearest(nearest(x, 2, rows), 3, columns)
                };
                convolution.get()?.forward(larger)
            }
        })
    }
}

/// The first `size` rows or columns.
fn first(x: Tensor<4>, dimension: usize, size: usize) -> Tensor<4> {
    if x.dims()[dimension] == size {
        x
    } else {
        x.narrow(dimension, 0, size)
    }
}

/// `size` rows or columns, each the one of x that lies there.
fn nearest(x: Tensor<4>, dimension: usize, size: usize) -> Tensor<4> {
    let present = x.dims()[dimension];
    let scale = present as f32 / size as f32;
    let places: Vec<i32> = (0..size)
        .map(|place| ((place as f32 * scale) as usize).min(present - 1) as i32)
        .collect();
    let places = Tensor::<1, Int>::from_data(places.as_slice(), &x.device());
    x.select(dimension, places)
}
