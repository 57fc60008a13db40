//! The levels of an adapter.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::ops::PadMode;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{Conv2d, Geometry};
use crate::weights::Scope;

/// How a block begins.
#[derive(Debug)]
pub(super) enum Resizing {
    None,
    /// With the averages of two by two places. Where a size is odd, a row of zeros stands before the first.
    Average,
    /// With a convolution in steps of two.
    Convolution(Box<Conv2d>),
}

/// What comes between the features of two resolutions.
#[derive(Debug)]
pub(super) struct Level {
    blocks: Vec<Block>,
    /// Only in light adapters.
    last: Option<Conv2d>,
}

/// Two convolutions with an activation between them, added to their input, after whatever changes its size and channels.
#[derive(Debug)]
struct Block {
    resizing: Resizing,
    entry: Option<Conv2d>,
    first: Conv2d,
    second: Conv2d,
}

impl Level {
    /// A level of blocks that each may have an entry; the first halves.
    pub(super) fn full(
        scopes: &[Scope],
        halves: bool,
        channels: usize,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let mut channels = channels;
        let mut blocks = Vec::with_capacity(scopes.len());
        for (index, scope) in scopes.iter().enumerate() {
            let resizing = if !halves || index > 0 {
                Resizing::None
            } else if scope.has_scope("down_opt.op") {
                let place = scope.enter("down_opt.op");
                let halving = convolution(&place, channels, 2, device)?;
                channels = halving.outputs();
                Resizing::Convolution(Box::new(halving))
            } else {
                Resizing::Average
            };
            let block = Block::load(scope, resizing, channels, device)?;
            channels = block.outputs();
            blocks.push(block);
        }
        Ok(Self { blocks, last: None })
    }

    /// A level of a light adapter: blocks between two convolutions of one pixel.
    pub(super) fn light(
        scope: &Scope,
        resizing: Resizing,
        channels: usize,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let entry = convolution(&scope.enter("in_conv"), channels, 1, device)?;
        let mut entering = Some((resizing, entry));
        let mut blocks: Vec<Block> = Vec::new();
        for index in 0..scope.count("body").max(1) {
            let place = scope.enter("body").enter(index);
            let (resizing, entry) = match entering.take() {
                Some((resizing, entry)) => (resizing, Some(entry)),
                None => (Resizing::None, None),
            };
            let inner = match (&entry, blocks.last()) {
                (Some(entry), _) => entry.outputs(),
                (None, block) => block.map_or(channels, Block::outputs),
            };
            let block = Block {
                resizing,
                entry,
                ..Block::load(&place, Resizing::None, inner, device)?
            };
            blocks.push(block);
        }
        let inner = blocks.last().map_or(channels, Block::outputs);
        Ok(Self {
            blocks,
            last: Some(convolution(&scope.enter("out_conv"), inner, 1, device)?),
        })
    }

    /// Channels of the result.
    pub(super) fn outputs(&self) -> usize {
        match &self.last {
            Some(last) => last.outputs(),
            None => self.blocks.last().map_or(0, Block::outputs),
        }
    }

    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        match &self.last {
            Some(last) => last.forward(x),
            None => x,
        }
    }
}

impl Block {
    fn load(
        scope: &Scope,
        resizing: Resizing,
        channels: usize,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let entry = scope
            .has_scope("in_conv")
            .then(|| convolution(&scope.enter("in_conv"), channels, 1, device))
            .transpose()?;
        let inner = entry.as_ref().map_or(channels, Conv2d::outputs);
        let first = convolution(&scope.enter("block1"), inner, 1, device)?;
        let place = scope.enter("block2");
        let second = convolution(&place, first.outputs(), 1, device)?;
        if second.outputs() != inner {
            let expected = format!("{inner} outputs");
            return Err(place.shape_error("weight", expected, place.shape("weight")?));
        }
        Ok(Self {
            resizing,
            entry,
            first,
            second,
        })
    }

    fn outputs(&self) -> usize {
        self.second.outputs()
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.resizing {
            Resizing::None => x,
            Resizing::Average => averaged(x),
            Resizing::Convolution(convolution) => convolution.forward(x),
        };
        let x = match &self.entry {
            Some(entry) => entry.forward(x),
            None => x,
        };
        let hidden = relu(self.first.forward(x.clone()));
        self.second.forward(hidden) + x
    }
}

/// A convolution with as many zeros around as keep the size, or halve it, that takes `channels`.
fn convolution(
    scope: &Scope,
    channels: usize,
    stride: usize,
    device: &ComputeDevice,
) -> Result<Conv2d> {
    let shape @ [_, inputs, rows, columns] = scope.dims::<4>("weight")?;
    if inputs != channels || rows != columns || rows.is_multiple_of(2) {
        let expected = format!("{channels} inputs and an odd kernel");
        return Err(scope.shape_error("weight", expected, &shape));
    }
    let geometry = Geometry {
        stride,
        ..Geometry::same(rows)
    };
    Conv2d::load(scope, geometry, device)
}

fn averaged(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let (above, left) = (height % 2, width % 2);
    let x = if above + left > 0 {
        x.pad((left, 0, above, 0), PadMode::Constant(0.0))
    } else {
        x
    };
    let [batch, channels, height, width] = x.dims();
    let split: Tensor<6> = x.reshape([batch, channels, height / 2, 2, width / 2, 2]);
    split
        .mean_dim(3)
        .mean_dim(5)
        .reshape([batch, channels, height / 2, width / 2])
}
