//! What is to be where, as vectors.

use burn::tensor::{Tensor, TensorData};

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Linear, silu};
use crate::weights::Scope;

/// How many things can be told. Where there are fewer, the others are told to be nothing.
const MOST_THINGS: usize = 30;

/// Frequencies of the waves that a coordinate becomes.
const FREQUENCIES: usize = 8;

/// The frequencies are powers of this, with exponents from 0 to almost 1.
const BASE: f32 = 100.0;

/// Left, top, right and bottom.
const COORDINATES: usize = 4;

/// A thing, and the rectangle in latent cells that it is to be in.
#[derive(Clone, Debug)]
pub struct Grounding {
    /// What it is: the summary of a text before it is projected, `[1, width]`.
    pub text: Tensor<2>,
    /// Height of the rectangle.
    pub height: usize,
    /// Width of the rectangle.
    pub width: usize,
    /// The rows above it.
    pub top: usize,
    /// The columns left of it.
    pub left: usize,
}

/// Three linear layers with `silu` between them, from a text and waves of coordinates to a vector.
#[derive(Debug)]
pub(super) struct PositionNetwork {
    layers: [Linear; 3],
    /// What stands for no text and for no place.
    nothing: [Vec<f32>; 2],
    device: ComputeDevice,
}

impl PositionNetwork {
    pub(super) fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let layer = |index: usize| Linear::load(&scope.enter("linears").enter(index), device);
        let network = Self {
            layers: [layer(0)?, layer(2)?, layer(4)?],
            nothing: [
                scope.values("null_positive_feature")?,
                scope.values("null_position_feature")?,
            ],
            device: device.clone(),
        };
        let waves = 2 * FREQUENCIES * COORDINATES;
        let [text, place] = network.nothing.each_ref().map(Vec::len);
        let mut inputs = text + waves;
        for (index, layer) in network.layers.iter().enumerate() {
            if layer.inputs() != inputs || place != waves {
                let name = format!("linears.{}.weight", 2 * index);
                let expected = format!("{inputs} inputs, and {waves} waves of a place");
                return Err(scope.shape_error(&name, expected, scope.shape(&name)?));
            }
            inputs = layer.outputs();
        }
        Ok(network)
    }

    /// The width of the vectors.
    pub(super) fn outputs(&self) -> usize {
        self.layers[2].outputs()
    }

    /// `[1, 30, width]`
    pub(super) fn forward(&self, things: &[Grounding], latent: [usize; 2]) -> Result<Tensor<3>> {
        if things.len() > MOST_THINGS {
            return Err(Error::input(format!(
                "GLIGEN can be told where {MOST_THINGS} things are, got {}",
                things.len()
            )));
        }
        let [no_text, no_place] = &self.nothing;
        let mut rows = Vec::with_capacity(MOST_THINGS * (no_text.len() + no_place.len()));
        for thing in things {
            let text: Vec<f32> = thing
                .text
                .clone()
                .into_data()
                .convert::<f32>()
                .try_into_vec()
                .map_err(|error| Error::Device(format!("cannot read a text: {error}")))?;
            if text.len() != no_text.len() {
                return Err(Error::input(format!(
                    "GLIGEN reads summaries of texts of width {}, got {:?}; is the text encoder of another model in use?",
                    no_text.len(),
                    thing.text.dims()
                )));
            }
            rows.extend(text);
            rows.extend(waves(thing, latent));
        }
        for _ in things.len()..MOST_THINGS {
            rows.extend_from_slice(no_text);
            rows.extend_from_slice(no_place);
        }
        let width = no_text.len() + no_place.len();
        let data = TensorData::new(rows, [1, MOST_THINGS, width]);
        let x: Tensor<3> = Tensor::from_data(data, self.device.tensor_device());
        let strategies = self.device.strategies();
        let [first, second, third] = &self.layers;
        let x = silu(strategies, first.forward(x));
        let x = silu(strategies, second.forward(x));
        Ok(third.forward(x))
    }
}

/// For each frequency the sines of the four coordinates, then the cosines. Coordinates are parts of the latent's size.
fn waves(thing: &Grounding, [height, width]: [usize; 2]) -> Vec<f32> {
    let part = |cells: usize, of: usize| (cells as f64 / of as f64) as f32;
    let coordinates = [
        part(thing.left, width),
        part(thing.top, height),
        part(thing.left + thing.width, width),
        part(thing.top + thing.height, height),
    ];
    (0..FREQUENCIES)
        .map(|index| BASE.powf(index as f32 / FREQUENCIES as f32))
        .flat_map(|frequency| {
            let angles = coordinates.map(|coordinate| f64::from(frequency * coordinate));
            let sines = angles.map(|angle| angle.sin() as f32);
            let cosines = angles.map(|angle| angle.cos() as f32);
            sines.into_iter().chain(cosines)
        })
        .collect()
}
