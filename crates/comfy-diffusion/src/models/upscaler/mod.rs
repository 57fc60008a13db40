//! Networks that enlarge pictures, or clean them without changing their size.

mod compact;
mod names;
mod rrdb;
mod swin;
mod window;

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData};

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry};
use crate::residency::Room;
use crate::weights::{Scope, Weights};
use compact::Compact;
use rrdb::Rrdb;
use swin::SwinIr;

/// A network from pictures to larger pictures.
pub trait Upscaler: Send + Sync {
    /// How many times as high and as wide a picture becomes.
    fn scale(&self) -> usize;

    /// How many channels a picture has, before and after.
    fn channels(&self) -> usize;

    /// Which sizes of pictures it can take.
    fn sides(&self) -> Sides {
        Sides::default()
    }

    /// The picture `[1, channels, scale · height, scale · width]` of a picture `[1, channels, height, width]` with values from 0 to 1,
    /// whose sides [`Upscaler::sides`] allows. Values may leave that range by a little.
    fn forward(&self, picture: Tensor<4>) -> Tensor<4>;
}

/// Which heights and widths a network can take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// The smallest.
    pub least: usize,
    /// What all are a multiple of.
    pub multiple: usize,
}

impl Default for Sides {
    fn default() -> Self {
        Self {
            least: 1,
            multiple: 1,
        }
    }
}

impl Sides {
    /// The next allowed size that is not smaller.
    fn fit(self, size: usize) -> usize {
        size.max(self.least).next_multiple_of(self.multiple.max(1))
    }
}

/// What one picture becomes, 0 to 1: it is extended to a size that the network can take, and the result is cut.
pub fn enlarge(network: &dyn Upscaler, picture: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = picture.dims();
    let (sides, scale) = (network.sides(), network.scale());
    let extended = extend(picture, [height, width].map(|side| sides.fit(side)));
    network
        .forward(extended)
        .clamp(0.0, 1.0)
        .narrow(2, 0, height * scale)
        .narrow(3, 0, width * scale)
}

/// A kind of network, and the tensors by which it is known.
struct Kind {
    name: &'static str,
    marks: &'static [&'static str],
    load: fn(&Scope, &ComputeDevice) -> Result<Arc<dyn Upscaler>>,
}

static KINDS: [Kind; 3] = [
    Kind {
        name: "ESRGAN",
        marks: &[
            "conv_first.weight",
            "body.0.rdb1.conv1.weight",
            "conv_last.weight",
        ],
        load: |scope, device| Ok(Arc::new(Rrdb::load(scope, device)?)),
    },
    Kind {
        name: "Real-ESRGAN compact",
        marks: &["body.0.weight", "body.1.weight"],
        load: |scope, device| Ok(Arc::new(Compact::load(scope, device)?)),
    },
    Kind {
        name: "SwinIR",
        marks: &[
            "conv_first.weight",
            "layers.0.residual_group.blocks.0.attn.relative_position_bias_table",
            "layers.0.residual_group.blocks.0.mlp.fc1.bias",
        ],
        load: |scope, device| Ok(Arc::new(SwinIr::load(scope, device)?)),
    },
];

/// Tensors of networks that are not known here, and what they are called.
const OTHERS: [(&str, &str); 7] = [
    ("relative_position_index_SA", "HAT"),
    (
        "layers.0.residual_group.blocks.0.attn.logit_scale",
        "Swin2SR",
    ),
    ("layers.0.blocks.0.attn.attns.0.rpe_biases", "DAT"),
    ("block_1.c1_r.sk.weight", "SPAN"),
    (
        "residual_layer.0.residual_layer.0.layer.0.fn.0.weight",
        "OmniSR",
    ),
    ("m_head.0.weight", "SCUNet"),
    ("input_blocks.0.0.weight", "a diffusion network"),
];

/// The weights of an upscaler, whatever program saved them, and how it is loaded from them.
pub struct UpscalerFile {
    weights: Weights,
    kind: &'static Kind,
}

impl UpscalerFile {
    /// Finds out which kind of network a file holds.
    ///
    /// # Errors
    ///
    /// If it is none that is known here.
    pub fn new(weights: Weights) -> Result<Self> {
        let weights = names::canonical(weights);
        let root = weights.root();
        let kind = KINDS
            .iter()
            .find(|kind| kind.marks.iter().all(|mark| root.has(mark)));
        if let Some(kind) = kind {
            return Ok(Self { weights, kind });
        }
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        let looks_like = OTHERS
            .iter()
            .find(|(mark, _)| root.has(mark))
            .map_or(String::new(), |(_, name)| format!("it looks like {name}; "));
        let some: Vec<&str> = weights.names("").take(3).collect();
        Err(Error::UnknownModel {
            path: weights.path().to_owned(),
            reason: format!(
                "{looks_like}the upscale models known here are {}, and its {} tensors begin with {}",
                known.join(", "),
                weights.names("").count(),
                some.join(", ")
            ),
        })
    }

    /// The file.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// The kind of network.
    pub fn kind(&self) -> &'static str {
        self.kind.name
    }

    /// Builds the network, whose tensors take memory of `room`.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or does not fit the others.
    pub fn load(&self, room: &Arc<Room>, device: &ComputeDevice) -> Result<Arc<dyn Upscaler>> {
        (self.kind.load)(&self.weights.root().in_room(room), device)
    }
}

/// A convolution that keeps the size, of exactly this shape.
fn convolution(
    scope: &Scope,
    [outputs, inputs]: [usize; 2],
    kernel: usize,
    device: &ComputeDevice,
) -> Result<Conv2d> {
    let found: [usize; 4] = scope.dims("weight")?;
    let expected = [outputs, inputs, kernel, kernel];
    if found != expected {
        return Err(scope.shape_error("weight", format!("{expected:?}"), &found));
    }
    Conv2d::load(scope, Geometry::same(kernel), device)
}

/// The numbers below `name`, in order.
fn numbers(scope: &Scope, name: &str) -> Vec<usize> {
    let children = scope.enter(name).children();
    let mut numbers: Vec<usize> = children
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The whole number whose square this is.
fn square_root(number: usize) -> Option<usize> {
    let root = number.isqrt();
    (root > 0 && root * root == number).then_some(root)
}

/// A picture with more rows and columns after the last ones: a mirror image, and where that ends its last pixels again.
fn extend(picture: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
    let stretch = |picture: Tensor<4>, direction: usize, wanted: usize| {
        let size = picture.dims()[direction];
        if wanted <= size || size == 0 {
            return picture;
        }
        let places: Vec<i64> = (0..wanted)
            .map(|at| if at < size { at } else { (2 * (size - 1)).saturating_sub(at) } as i64)
            .collect();
        let places = TensorData::new(places, [wanted]);
        let places = Tensor::<1, Int>::from_data(places, &picture.device());
        picture.select(direction, places)
    };
    stretch(stretch(picture, 2, height), 3, width)
}

#[cfg(test)]
mod tests;
