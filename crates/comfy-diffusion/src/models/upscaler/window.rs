//! A block of Swin transformers (Liu et al. 2021): attention within windows, then a perceptron for each pixel.

use burn::tensor::{Tensor, TensorData, activation};

use super::square_root;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{LayerNorm, Linear, Strategies, gelu};
use crate::weights::Scope;

/// What is added to the score of two pixels that are neighbours only because a shifted picture was closed to a ring.
const APART: f64 = -100.0;

const EPSILON: f64 = 1e-5;

/// One block.
#[derive(Debug)]
pub(super) struct Block {
    norms: [LayerNorm; 2],
    qkv: Linear,
    projection: Linear,
    /// What is added to the scores for each place within a window, `[1, heads, window², window²]`.
    bias: Tensor<4>,
    perceptron: [Linear; 2],
    heads: usize,
    window: usize,
    /// How far windows begin before the picture does.
    shift: usize,
    strategies: Strategies,
}

impl Block {
    pub(super) fn load(
        scope: &Scope,
        features: usize,
        is_shifted: bool,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let table_name = "attn.relative_position_bias_table";
        let shape: [usize; 2] = scope.dims(table_name)?;
        let [places, heads] = shape;
        let side = square_root(places).filter(|side| side % 2 == 1);
        let (Some(side), true) = (side, heads > 0 && features.is_multiple_of(heads.max(1))) else {
            let expected = format!(
                "a row for each distance in a square window and a number of heads that divides {features}"
            );
            return Err(scope.shape_error(table_name, expected, &shape));
        };
        let window = side.div_ceil(2);
        let table = scope.values(table_name)?;
        let linear = |name: &str, outputs: Option<usize>, inputs: usize| {
            let place = scope.enter(name);
            let found: [usize; 2] = place.dims("weight")?;
            let expected = [outputs.unwrap_or(found[0]), inputs];
            if found != expected {
                return Err(place.shape_error("weight", format!("{expected:?}"), &found));
            }
            Linear::load(&place, device)
        };
        let norm = |name: &str| {
            let place = scope.enter(name);
            let found: [usize; 1] = place.dims("weight")?;
            if found != [features] {
                return Err(place.shape_error("weight", format!("[{features}]"), &found));
            }
            LayerNorm::load(&place, EPSILON, device)
        };
        let hidden = linear("mlp.fc1", None, features)?;
        let back = linear("mlp.fc2", Some(features), hidden.outputs())?;
        for buffer in ["attn.relative_position_index", "attn_mask"] {
            scope.ignore(buffer);
        }
        Ok(Self {
            norms: [norm("norm1")?, norm("norm2")?],
            qkv: linear("attn.qkv", Some(3 * features), features)?,
            projection: linear("attn.proj", Some(features), features)?,
            bias: Tensor::from_data(
                TensorData::new(
                    spread(&table, heads, window),
                    [1, heads, window * window, window * window],
                ),
                device.tensor_device(),
            ),
            perceptron: [hidden, back],
            heads,
            window,
            shift: if is_shifted { window / 2 } else { 0 },
            strategies: *device.strategies(),
        })
    }

    /// The side of a window in pixels.
    pub(super) fn window(&self) -> usize {
        self.window
    }

    /// `x` is `[1, height · width, features]` of a picture whose sides are multiples of the window.
    pub(super) fn forward(&self, x: Tensor<3>, size: [usize; 2]) -> Tensor<3> {
        let seen = self.attend(self.norms[0].forward(x.clone()), size);
        let x = seen + x;
        let [hidden, back] = &self.perceptron;
        let inner = gelu(
            &self.strategies,
            hidden.forward(self.norms[1].forward(x.clone())),
        );
        back.forward_add(inner, x)
    }

    fn attend(&self, x: Tensor<3>, [height, width]: [usize; 2]) -> Tensor<3> {
        let features = x.dims()[2];
        let (side, area) = (self.window, self.window * self.window);
        let (rows, columns) = (height / side, width / side);
        let (windows, shift) = (rows * columns, self.shift);
        let image: Tensor<3> = x.reshape([height, width, features]);
        let image = roll(roll(image, 0, shift), 1, shift);
        let split: Tensor<5> = image.reshape([rows, side, columns, side, features]);
        let split: Tensor<3> = split
            .permute([0, 2, 1, 3, 4])
            .reshape([windows, area, features]);
        let regions = (shift > 0).then(|| {
            let regions = regions([rows, columns], side, shift);
            Tensor::<2>::from_data(TensorData::new(regions, [windows, area]), &split.device())
        });
        let bytes = self.heads * area * area * size_of::<f32>();
        let at_once = (self.strategies.scratch_bytes / bytes.max(1)).clamp(1, windows.max(1));
        let parts = (0..windows).step_by(at_once).map(|start| {
            let count = at_once.min(windows - start);
            let regions = regions.clone().map(|all| all.narrow(0, start, count));
            self.windows(split.clone().narrow(0, start, count), regions)
        });
        let joined: Tensor<5> =
            Tensor::cat(parts.collect(), 0).reshape([rows, columns, side, side, features]);
        let image: Tensor<3> = joined
            .permute([0, 2, 1, 3, 4])
            .reshape([height, width, features]);
        let image = roll(roll(image, 0, height - shift), 1, width - shift);
        image.reshape([1, height * width, features])
    }

    /// Attention of windows `[windows, area, features]`; pixels of different regions do not see each other.
    fn windows(&self, x: Tensor<3>, regions: Option<Tensor<2>>) -> Tensor<3> {
        let [count, area, features] = x.dims();
        let size = features / self.heads;
        let qkv: Tensor<5> = self
            .qkv
            .forward(x)
            .reshape([count, area, 3, self.heads, size]);
        let part = |index: usize| -> Tensor<4> {
            let part = qkv.clone().narrow(2, index, 1);
            part.reshape([count, area, self.heads, size])
                .swap_dims(1, 2)
        };
        let query = part(0) * (1.0 / (size as f64).sqrt());
        let scores = query.matmul(part(1).swap_dims(2, 3)) + self.bias.clone();
        let scores = match regions {
            Some(regions) => {
                let one: Tensor<4> = regions.clone().reshape([count, 1, area, 1]);
                let other: Tensor<4> = regions.reshape([count, 1, 1, area]);
                scores + (one - other).abs().clamp_max(1.0) * APART
            }
            None => scores,
        };
        let seen = activation::softmax(scores, 3).matmul(part(2));
        let seen = seen.swap_dims(1, 2).reshape([count, area, features]);
        self.projection.forward(seen)
    }
}

/// The table's value for each two places of a window: `[heads, area, area]` from a row for each distance.
fn spread(table: &[f32], heads: usize, window: usize) -> Vec<f32> {
    let (area, side) = (window * window, 2 * window - 1);
    let mut values = Vec::with_capacity(heads * area * area);
    for head in 0..heads {
        for one in 0..area {
            for other in 0..area {
                let distance = |at: fn(usize, usize) -> usize| {
                    at(one, window) + window - 1 - at(other, window)
                };
                let row = distance(|place, window| place / window) * side
                    + distance(|place, window| place % window);
                values.push(table[row * heads + head]);
            }
        }
    }
    values
}

/// For each pixel of each window, which of the parts it belongs to that lie together in the picture too.
fn regions([rows, columns]: [usize; 2], side: usize, shift: usize) -> Vec<f32> {
    let part = |at: usize, size: usize| match at {
        at if at + side < size => 0,
        at if at + shift < size => 1,
        _ => 2,
    };
    let mut regions = Vec::with_capacity(rows * columns * side * side);
    for row in 0..rows {
        for column in 0..columns {
            for y in row * side..(row + 1) * side {
                for x in column * side..(column + 1) * side {
                    let region = 3 * part(y, rows * side) + part(x, columns * side);
                    regions.push(region as f32);
                }
            }
        }
    }
    regions
}

/// The image with its first rows (or columns) put after the last.
fn roll(x: Tensor<3>, direction: usize, count: usize) -> Tensor<3> {
    let size = x.dims()[direction];
    if count == 0 || count >= size {
        return x;
    }
    let moved = x.clone().narrow(direction, 0, count);
    let rest = x.narrow(direction, count, size - count);
    Tensor::cat(vec![rest, moved], direction)
}
