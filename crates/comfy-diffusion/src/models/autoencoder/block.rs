//! What encoder and decoder are both made of.

use burn::tensor::Tensor;

use super::super::{Activation, Observer};
use super::{EPSILON, GROUPS};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Addend, Conv2d, Geometry, GroupNorm, Linear, Mask, Strategies, attention};
use crate::residency::Part;
use crate::weights::Scope;

/// A layer that keeps the size of the image.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "handles of tensors; there are a few dozen blocks"
)]
pub(super) enum Block {
    Residual(Residual),
    Attention(SelfAttention),
}

/// Blocks that run one after the other, with their names for an observer.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "they are the blocks")]
pub(super) struct Blocks {
    blocks: Vec<(String, Part<Block>)>,
    /// What stands before their names for an observer.
    place: String,
    /// The most channels between any two.
    widest: usize,
}

impl Blocks {
    /// The blocks of these names below `scope`, which are read when they are [checked](Blocks::check); `place` is what an observer calls
    /// the scope.
    fn new(
        scope: &Scope,
        place: &str,
        names: impl IntoIterator<Item = String>,
        device: &ComputeDevice,
    ) -> Self {
        let block = |name: String| {
            let target = device.clone();
            let load = move |scope: &Scope| Block::load(scope, &target);
            let block = Part::new(&scope.enter(&name), load);
            (format!("{place}.{name}"), block)
        };
        Self {
            blocks: names.into_iter().map(block).collect(),
            place: format!("{place}."),
            widest: 0,
        }
    }

    /// The blocks in the middle of encoder and decoder.
    pub(super) fn middle(scope: &Scope, place: &str, device: &ComputeDevice) -> Self {
        let names = ["block_1", "attn_1", "block_2"]
            .into_iter()
            .filter(|name| *name != "attn_1" || scope.has_scope(name));
        Self::new(scope, place, names.map(str::to_owned), device)
    }

    /// The blocks of one resolution: `block.0`, `attn.0`, `block.1`, … where attention is optional.
    pub(super) fn level(scope: &Scope, place: &str, device: &ComputeDevice) -> Self {
        let names = (0..scope.count("block")).flat_map(|index| {
            let attention = format!("attn.{index}");
            let attention = scope.has_scope(&attention).then_some(attention);
            std::iter::once(format!("block.{index}")).chain(attention)
        });
        Self::new(scope, place, names, device)
    }

    /// The channels that come out if `channels` go in. Reads the blocks.
    pub(super) fn check(&mut self, scope: &Scope, channels: usize) -> Result<usize> {
        let mut channels = channels;
        for (index, (name, block)) in self.blocks.iter().enumerate() {
            let (inputs, outputs) = block.get()?.channels();
            if inputs != channels {
                let name = name.strip_prefix(&self.place).unwrap_or(name);
                let place = scope.enter(if index == 0 { "" } else { name });
                return Err(mismatch(&place, inputs, channels));
            }
            self.widest = self.widest.max(inputs).max(outputs);
            channels = outputs;
        }
        Ok(channels)
    }

    /// The most channels that go into or come out of a block.
    pub(super) fn widest(&self) -> usize {
        self.widest
    }

    pub(super) fn forward(&self, x: Tensor<4>, observe: Observer) -> Result<Tensor<4>> {
        self.blocks.iter().try_fold(x, |x, (name, block)| {
            let x = match &*block.get()? {
                Block::Residual(block) => block.forward(x),
                Block::Attention(block) => block.forward(x),
            };
            observe(name, Activation::Image(&x));
            Ok(x)
        })
    }
}

/// The convolution of a step from one resolution to the next.
#[derive(Debug)]
pub(super) struct Step {
    /// What an observer calls it.
    name: String,
    layer: Part<Conv2d>,
    /// Known when it was checked.
    widest: usize,
}

impl Step {
    /// The step of this name below the scope of a resolution, if there is one; `place` is what an observer calls that scope.
    pub(super) fn find(
        scope: &Scope,
        name: &str,
        place: &str,
        geometry: Geometry,
        device: &ComputeDevice,
    ) -> Option<Self> {
        let device = device.clone();
        let load = move |scope: &Scope| Conv2d::load(scope, geometry, &device);
        scope.has_scope(name).then(|| Self {
            name: format!("{place}.{name}"),
            layer: Part::new(&scope.enter(name).enter("conv"), load),
            widest: 0,
        })
    }

    /// The channels that come out if `channels` go in. Reads the layer, which is at `scope`.
    pub(super) fn check(&mut self, scope: &Scope, channels: usize) -> Result<usize> {
        let layer = self.layer.get()?;
        let (inputs, outputs) = (layer.inputs(), layer.outputs());
        if inputs != channels {
            return Err(mismatch(scope, inputs, channels));
        }
        self.widest = inputs.max(outputs);
        Ok(outputs)
    }

    /// The most channels that go in or come out.
    pub(super) fn widest(&self) -> usize {
        self.widest
    }

    pub(super) fn forward(&self, x: Tensor<4>, observe: Observer) -> Result<Tensor<4>> {
        let x = self.layer.get()?.forward(x);
        observe(&self.name, Activation::Image(&x));
        Ok(x)
    }
}

/// The error for a layer that does not take what the one before it gives.
pub(super) fn mismatch(scope: &Scope, inputs: usize, channels: usize) -> Error {
    Error::UnknownModel {
        path: scope.weights().path().to_owned(),
        reason: format!(
            "{} takes {inputs} channels, but the layer before it gives {channels}",
            scope.prefix()
        ),
    }
}

impl Block {
    fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        if scope.has("q.weight") {
            SelfAttention::load(scope, device).map(Self::Attention)
        } else {
            Residual::load(scope, device).map(Self::Residual)
        }
    }

    /// How many channels go in and come out.
    fn channels(&self) -> (usize, usize) {
        match self {
            Self::Residual(block) => (block.first.inputs(), block.second.outputs()),
            Self::Attention(block) => (block.norm.channels(), block.norm.channels()),
        }
    }
}

/// Two convolutions, each after a norm and `silu`, and the input added.
#[derive(Debug)]
pub(super) struct Residual {
    first_norm: GroupNorm,
    first: Conv2d,
    second_norm: GroupNorm,
    second: Conv2d,
    /// Where the number of channels changes.
    shortcut: Option<Conv2d>,
}

impl Residual {
    fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let norm = |name: &str| GroupNorm::load(&scope.enter(name), GROUPS, EPSILON, device);
        let convolution = |name: &str| {
            let [.., kernel] = scope.dims::<4>(&format!("{name}.weight"))?;
            Conv2d::load(&scope.enter(name), Geometry::same(kernel), device)
        };
        let shortcut = ["nin_shortcut", "conv_shortcut"]
            .into_iter()
            .find(|name| scope.has_scope(name));
        let block = Self {
            first_norm: norm("norm1")?,
            first: convolution("conv1")?,
            second_norm: norm("norm2")?,
            second: convolution("conv2")?,
            shortcut: shortcut.map(convolution).transpose()?,
        };
        let (inputs, hidden, outputs) = (
            block.first.inputs(),
            block.first.outputs(),
            block.second.outputs(),
        );
        let carried = match &block.shortcut {
            Some(shortcut) => (shortcut.inputs(), shortcut.outputs()),
            None => (inputs, inputs),
        };
        let fits = block.first_norm.channels() == inputs
            && block.second_norm.channels() == hidden
            && block.second.inputs() == hidden
            && carried == (inputs, outputs);
        if fits {
            Ok(block)
        } else {
            Err(Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: format!(
                    "the tensors of {} do not fit each other: {inputs}, {hidden} and {outputs} channels, carried on as {carried:?}",
                    scope.prefix()
                ),
            })
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let hidden = self.first.forward(self.first_norm.forward_silu(x.clone()));
        let hidden = self.second_norm.forward_silu(hidden);
        let carried = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        let addend = Addend {
            per_channel: None,
            image: Some(carried),
        };
        self.second.forward_add(hidden, addend)
    }
}

/// Attention of all pixels to all pixels with one head, after a norm, and the input added.
#[derive(Debug)]
pub(super) struct SelfAttention {
    norm: GroupNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    strategies: Strategies,
}

impl SelfAttention {
    fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let norm = GroupNorm::load(&scope.enter("norm"), GROUPS, EPSILON, device)?;
        let channels = norm.channels();
        let load = |name: &str| {
            let layer = Linear::load(&scope.enter(name), device)?;
            if (layer.inputs(), layer.outputs()) == (channels, channels) {
                return Ok(layer);
            }
            let name = format!("{name}.weight");
            let expected = format!("[{channels}, {channels}, 1, 1]");
            Err(scope.shape_error(&name, expected, scope.shape(&name)?))
        };
        Ok(Self {
            query: load("q")?,
            key: load("k")?,
            value: load("v")?,
            output: load("proj_out")?,
            norm,
            strategies: *device.strategies(),
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shape @ [batch, channels, height, width] = x.dims();
        let pixels = height * width;
        let normal: Tensor<3> = self
            .norm
            .forward(x.clone())
            .reshape([batch, channels, pixels]);
        let tokens = normal.swap_dims(1, 2);
        let (query, key, value) = (
            self.query.forward(tokens.clone()),
            self.key.forward(tokens.clone()),
            self.value.forward(tokens),
        );
        let result = attention(&self.strategies, query, key, value, 1, Mask::None);
        let residual = x.reshape([batch, channels, pixels]);
        self.output
            .forward_to_channels(result, Some(residual))
            .reshape(shape)
    }
}
