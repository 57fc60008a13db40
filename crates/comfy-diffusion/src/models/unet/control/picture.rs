//! What a control net reads of a picture.

use burn::tensor::Tensor;

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry, Strategies, silu};
use crate::weights::Scope;

/// Layers from a picture to the channels of a network's first stage.
const LAYERS: usize = 8;

/// Those of them that halve the picture.
const HALVING: [usize; 3] = [2, 4, 6];

/// Convolutions with `silu` between them.
#[derive(Debug)]
pub(super) struct PictureEncoder {
    layers: Vec<Conv2d>,
    strategies: Strategies,
}

impl PictureEncoder {
    /// Builds it from the layers `0`, `2`, `4`, …; the numbers between are activations.
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let mut layers: Vec<Conv2d> = Vec::with_capacity(LAYERS);
        for index in 0..LAYERS {
            let place = scope.enter(2 * index);
            let geometry = if HALVING.contains(&index) {
                Geometry::HALVE
            } else {
                Geometry::same(3)
            };
            let layer = Conv2d::load(&place, geometry, device)?;
            let expected = layers.last().map_or(layer.inputs(), Conv2d::outputs);
            let shape = place.shape("weight")?;
            if layer.inputs() != expected || shape.get(2..) != Some(&[3, 3]) {
                let expected = format!("{expected} inputs and a kernel of 3 by 3");
                return Err(place.shape_error("weight", expected, shape));
            }
            layers.push(layer);
        }
        Ok(Self {
            layers,
            strategies: *device.strategies(),
        })
    }

    /// Pixels in each direction for one cell of the result.
    #[expect(clippy::unused_self, reason = "a property of the network")]
    pub(super) fn ratio(&self) -> usize {
        1 << HALVING.len()
    }

    fn inputs(&self) -> usize {
        self.layers.first().map_or(0, Conv2d::inputs)
    }

    /// Channels of the result.
    pub(super) fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Conv2d::outputs)
    }

    /// `[pictures, channels, height, width]` to features of an eighth of the size.
    pub(super) fn forward(&self, pictures: Tensor<4>) -> Result<Tensor<4>> {
        let [_, channels, height, width] = pictures.dims();
        if channels != self.inputs() || height == 0 || width == 0 {
            return Err(Error::input(format!(
                "the control net reads pictures of {} channels, got {:?}",
                self.inputs(),
                pictures.dims()
            )));
        }
        let mut layers = self.layers.iter();
        let first = layers.next().map(|layer| layer.forward(pictures.clone()));
        Ok(layers.fold(first.unwrap_or(pictures), |x, layer| {
            layer.forward(silu(&self.strategies, x))
        }))
    }
}
