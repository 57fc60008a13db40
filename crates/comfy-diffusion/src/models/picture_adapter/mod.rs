//! T2I-adapters (Mou et al. 2023, "T2I-Adapter: learning adapters to dig out more controllable ability for text-to-image diffusion
//! models"): small networks whose features of a picture are added on another network's way down.

mod block;

use burn::tensor::Tensor;

use self::block::{Level, Resizing};
use super::NetworkInput;
use super::control::{ControlNetwork, Residuals};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry};
use crate::weights::Scope;

/// Levels of every adapter; each gives features of one resolution.
const LEVELS: usize = 4;

/// Residual blocks of a level.
const BLOCKS: usize = 2;

/// Pixels in each direction for one latent cell.
const PIXELS_PER_CELL: usize = 8;

/// Channels of grey and of coloured pictures of which squares of 16 by 16 pixels are taken together: adapters for networks whose
/// lowest resolution is a quarter of the latent's. Others take 8 by 8.
const COARSE_CHANNELS: [usize; 2] = [256, 768];

/// The network.
#[derive(Debug)]
pub struct PictureAdapter {
    kind: Kind,
    /// The side of the squares of pixels that are taken together.
    square: usize,
    /// Channels of pictures: one for grey.
    channels: usize,
    /// None in light adapters.
    first: Option<Conv2d>,
    levels: Vec<Level>,
}

/// What the features are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The last stage of each of four levels of three.
    FourLevels,
    /// The last stage before each halving of three levels, the last stage, and the middle.
    ThreeLevels,
}

impl PictureAdapter {
    /// Whether a scope has the tensors of an adapter.
    pub fn is_in(scope: &Scope) -> bool {
        scope.has("body.0.in_conv.weight") || scope.has("conv_in.weight")
    }

    /// Builds the network from the tensors of `scope` (`conv_in`, `body`).
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape than the rest of the network asks for.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let is_light = scope.has("body.0.in_conv.weight");
        let name = if is_light {
            "body.0.in_conv.weight"
        } else {
            "conv_in.weight"
        };
        let shape: [usize; 4] = scope.dims(name)?;
        let inputs = shape[1];
        let kind = if !is_light && COARSE_CHANNELS.contains(&inputs) {
            Kind::ThreeLevels
        } else {
            Kind::FourLevels
        };
        let square = match kind {
            Kind::FourLevels => PIXELS_PER_CELL,
            Kind::ThreeLevels => 2 * PIXELS_PER_CELL,
        };
        if inputs == 0 || !inputs.is_multiple_of(square * square) {
            let expected = format!("a multiple of {} inputs", square * square);
            return Err(scope.shape_error(name, expected, &shape));
        }
        let body = scope.enter("body");
        let (first, mut channels) = if is_light {
            (None, inputs)
        } else {
            let first = Conv2d::load(&scope.enter("conv_in"), Geometry::same(3), device)?;
            let channels = first.outputs();
            (Some(first), channels)
        };
        let mut levels = Vec::with_capacity(LEVELS);
        for index in 0..LEVELS {
            let halves = match kind {
                Kind::FourLevels => index > 0,
                Kind::ThreeLevels => index == 2,
            };
            let level = if is_light {
                let resizing = if halves {
                    Resizing::Average
                } else {
                    Resizing::None
                };
                Level::light(&body.enter(index), resizing, channels, device)?
            } else {
                let blocks = [BLOCKS * index, BLOCKS * index + 1].map(|block| body.enter(block));
                Level::full(&blocks, halves, channels, device)?
            };
            channels = level.outputs();
            levels.push(level);
        }
        Ok(Self {
            kind,
            square,
            channels: inputs / (square * square),
            first,
            levels,
        })
    }
}

impl ControlNetwork for PictureAdapter {
    fn picture_size(&self, latent: [usize; 2]) -> [usize; 2] {
        latent.map(|cells| (cells * PIXELS_PER_CELL).next_multiple_of(self.square))
    }

    fn read(&self, pictures: Tensor<4>, _: Option<usize>) -> Result<Vec<Tensor<4>>> {
        let [_, channels, height, width] = pictures.dims();
        let pictures = if self.channels == 1 && channels > 1 {
            pictures.mean_dim(1)
        } else {
            pictures
        };
        let fits = |size: usize| size > 0 && size.is_multiple_of(self.square);
        if pictures.dims()[1] != self.channels || !fits(height) || !fits(width) {
            return Err(Error::input(format!(
                "the adapter reads pictures of {} channels whose sides are multiples of {}, got {:?}",
                self.channels,
                self.square,
                pictures.dims()
            )));
        }
        let mut x = squares_as_channels(pictures, self.square);
        if let Some(first) = &self.first {
            x = first.forward(x);
        }
        let mut features = Vec::with_capacity(LEVELS);
        for level in &self.levels {
            x = level.forward(x);
            features.push(x.clone());
        }
        Ok(features)
    }

    fn residuals(
        &self,
        read: Vec<Tensor<4>>,
        _: Option<usize>,
        _: NetworkInput,
    ) -> Result<Residuals> {
        let mut residuals = Residuals::default();
        let at = |list: &mut Vec<Option<Tensor<4>>>, place: usize, features| {
            list.resize(place, None);
            list.push(Some(features));
        };
        for (level, features) in read.into_iter().enumerate() {
            match (self.kind, level) {
                (Kind::FourLevels, _) => at(&mut residuals.input, 3 * level + 2, features),
                (Kind::ThreeLevels, 0) => at(&mut residuals.input, 3, features),
                (Kind::ThreeLevels, 1) => at(&mut residuals.input, 5, features),
                (Kind::ThreeLevels, 2) => at(&mut residuals.input, 8, features),
                (Kind::ThreeLevels, _) => residuals.middle.push(Some(features)),
            }
        }
        Ok(residuals)
    }
}

/// Each square of pixels as one, its pixels row by row as channels: `[pictures, channels · side², height / side, width / side]`.
fn squares_as_channels(pictures: Tensor<4>, side: usize) -> Tensor<4> {
    let [count, channels, height, width] = pictures.dims();
    let (rows, columns) = (height / side, width / side);
    let split: Tensor<6> = pictures.reshape([count, channels, rows, side, columns, side]);
    split
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([count, channels * side * side, rows, columns])
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    #[test]
    fn squares_become_channels_row_by_row() {
        let values: Vec<f32> = (0..16_u8).map(f32::from).collect();
        let device = ComputeDevice::cpu();
        let pictures = Tensor::from_data(
            TensorData::new(values, [1, 1, 4, 4]),
            device.tensor_device(),
        );
        let taken = squares_as_channels(pictures, 2);
        assert_eq!(taken.dims(), [1, 4, 2, 2]);
        let values: Vec<f32> = taken.into_data().try_into_vec().unwrap();
        // torch.nn.PixelUnshuffle(2)
        assert_eq!(values[..8], [0.0, 2.0, 8.0, 10.0, 1.0, 3.0, 9.0, 11.0]);
    }
}
