//! The tiny autoencoder (O. Boer Bohan, "TAESD", 2023): plain convolutions that do roughly what the large one of a family does.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::{Autoencoder, demand};
use crate::device::{ComputeDevice, Demand};
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry, Strategies, upsample_nearest_2x};
use crate::weights::Scope;

/// Latents are bent into this range, which the decoder was trained on.
const LARGEST_LATENT: f64 = 3.0;

/// An encoder, a decoder, or both, and the scale of the latents that others hand over.
#[derive(Debug)]
pub struct TinyAutoencoder {
    encoder: Option<Sequence>,
    decoder: Option<Sequence>,
    scale: f64,
    shift: f64,
}

impl TinyAutoencoder {
    /// Builds it from the tensors of an encoder and a decoder, either of which may be missing. The latents of others become its own as
    /// (latent − shift) · scale.
    ///
    /// # Errors
    ///
    /// If a layer is of an unknown kind or does not fit the one before it.
    pub fn load(
        encoder: Option<&Scope>,
        decoder: Option<&Scope>,
        [scale, shift]: [f64; 2],
        device: &ComputeDevice,
    ) -> Result<Self> {
        let load = |scope: &Scope, halves| Sequence::load(scope, halves, device);
        Ok(Self {
            encoder: encoder.map(|scope| load(scope, true)).transpose()?,
            decoder: decoder.map(|scope| load(scope, false)).transpose()?,
            scale,
            shift,
        })
    }

    fn part<'a>(part: Option<&'a Sequence>, name: &str) -> Result<&'a Sequence> {
        part.ok_or_else(|| Error::input(format!("this tiny autoencoder has no {name}")))
    }
}

impl Autoencoder for TinyAutoencoder {
    fn ratio(&self) -> usize {
        let sequence = self.decoder.as_ref().or(self.encoder.as_ref());
        1 << sequence.map_or(0, Sequence::resizings)
    }

    fn image_channels(&self) -> usize {
        let decoded = self.decoder.as_ref().map(Sequence::outputs);
        let encoded = self.encoder.as_ref().map(Sequence::inputs);
        decoded.or(encoded).unwrap_or_default()
    }

    fn encode(&self, pixels: Tensor<4>) -> Result<Tensor<4>> {
        let encoder = Self::part(self.encoder.as_ref(), "encoder")?;
        let latent = encoder.forward(pixels * 0.5 + 0.5)?;
        Ok(latent / self.scale + self.shift)
    }

    fn decode(&self, latent: Tensor<4>) -> Result<Tensor<4>> {
        let decoder = Self::part(self.decoder.as_ref(), "decoder")?;
        let own = (latent - self.shift) * self.scale;
        let bent = (own / LARGEST_LATENT).tanh() * LARGEST_LATENT;
        Ok((decoder.forward(bent)? - 0.5) * 2.0)
    }

    fn encoding(&self, [height, width]: [usize; 2]) -> Demand {
        let pixels = height as u64 * width as u64;
        let encoder = self.encoder.as_ref();
        demand(encoder.map_or(0, |encoder| encoder.largest(pixels)))
    }

    fn decoding(&self, [height, width]: [usize; 2]) -> Demand {
        let cells = height as u64 * width as u64;
        let decoder = self.decoder.as_ref();
        demand(decoder.map_or(0, |decoder| decoder.largest(cells)))
    }
}

/// Layers one after the other.
#[derive(Debug)]
struct Sequence {
    layers: Vec<Layer>,
    strategies: Strategies,
}

#[derive(Debug)]
enum Layer {
    /// A convolution; the first of a decoder is followed by an activation.
    Convolution {
        convolution: Conv2d,
        activated: bool,
    },
    /// A convolution with a step of two.
    Halve(Conv2d),
    /// Doubling, then a convolution.
    Double(Conv2d),
    Block(Box<Block>),
}

impl Sequence {
    /// The layers by their numbers; those without weights have none. Convolutions that change the size have no bias.
    fn load(scope: &Scope, halves: bool, device: &ComputeDevice) -> Result<Self> {
        let mut numbers: Vec<usize> = scope
            .children()
            .into_iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        numbers.sort_unstable();
        let mut layers = Vec::with_capacity(numbers.len());
        for number in numbers {
            let scope = scope.enter(number);
            let layer = if scope.has_scope("conv") {
                Layer::Block(Box::new(Block::load(&scope, device)?))
            } else if scope.has("bias") {
                Layer::Convolution {
                    convolution: Conv2d::load(&scope, Geometry::same(3), device)?,
                    activated: !halves && layers.is_empty(),
                }
            } else if halves {
                Layer::Halve(Conv2d::load(&scope, Geometry::HALVE, device)?)
            } else {
                Layer::Double(Conv2d::load(&scope, Geometry::same(3), device)?)
            };
            let expected = layers.last().map(Layer::outputs);
            if expected.is_some_and(|expected| expected != layer.inputs()) {
                return Err(Error::UnknownModel {
                    path: scope.weights().path().to_owned(),
                    reason: format!(
                        "{} takes {} channels, but the layer before it gives {expected:?}",
                        scope.prefix(),
                        layer.inputs()
                    ),
                });
            }
            layers.push(layer);
        }
        if layers.is_empty() {
            // Names the tensor that is missing.
            scope.shape(if halves { "0.weight" } else { "1.weight" })?;
        }
        Ok(Self {
            layers,
            strategies: *device.strategies(),
        })
    }

    fn inputs(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    fn outputs(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }

    /// How often the size is halved or doubled.
    fn resizings(&self) -> usize {
        self.layers
            .iter()
            .filter(|layer| matches!(layer, Layer::Halve(_) | Layer::Double(_)))
            .count()
    }

    /// The values of the largest tensor on the way from so many pixels or cells.
    fn largest(&self, cells: u64) -> u64 {
        let mut cells = cells;
        let mut largest = 0;
        for layer in &self.layers {
            let mut widest = layer.outputs();
            match layer {
                Layer::Halve(_) => cells = cells.div_ceil(4),
                Layer::Double(_) => {
                    cells *= 4;
                    widest = widest.max(layer.inputs());
                }
                Layer::Convolution { .. } | Layer::Block(_) => {}
            }
            largest = largest.max(widest as u64 * cells);
        }
        largest
    }

    fn forward(&self, x: Tensor<4>) -> Result<Tensor<4>> {
        let [_, channels, height, width] = x.dims();
        if channels != self.inputs() || height == 0 || width == 0 {
            return Err(Error::input(format!(
                "the tiny autoencoder takes {} channels and at least one pixel, got {:?}",
                self.inputs(),
                x.dims()
            )));
        }
        Ok(self.layers.iter().fold(x, |x, layer| match layer {
            Layer::Convolution {
                convolution,
                activated,
            } => {
                let x = convolution.forward(x);
                if *activated { relu(x) } else { x }
            }
            Layer::Halve(convolution) => convolution.forward(x),
            Layer::Double(convolution) => {
                convolution.forward(upsample_nearest_2x(&self.strategies, x))
            }
            Layer::Block(block) => block.forward(x),
        }))
    }
}

impl Layer {
    fn inputs(&self) -> usize {
        match self {
            Self::Convolution { convolution, .. }
            | Self::Halve(convolution)
            | Self::Double(convolution) => convolution.inputs(),
            Self::Block(block) => block.convolutions[0].inputs(),
        }
    }

    fn outputs(&self) -> usize {
        match self {
            Self::Convolution { convolution, .. }
            | Self::Halve(convolution)
            | Self::Double(convolution) => convolution.outputs(),
            Self::Block(block) => block.convolutions[2].outputs(),
        }
    }
}

/// Three convolutions and the input added.
#[derive(Debug)]
struct Block {
    convolutions: [Conv2d; 3],
    skip: Option<Conv2d>,
}

impl Block {
    fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let convolution = |number: usize| {
            let scope = scope.enter("conv").enter(number);
            Conv2d::load(&scope, Geometry::same(3), device)
        };
        let block = Self {
            convolutions: [convolution(0)?, convolution(2)?, convolution(4)?],
            skip: scope
                .has_scope("skip")
                .then(|| Conv2d::load(&scope.enter("skip"), Geometry::same(1), device))
                .transpose()?,
        };
        let [first, second, third] = &block.convolutions;
        let skipped = block.skip.as_ref();
        let skipped = skipped.map_or((first.inputs(), first.inputs()), |skip| {
            (skip.inputs(), skip.outputs())
        });
        if first.outputs() == second.inputs()
            && second.outputs() == third.inputs()
            && skipped == (first.inputs(), third.outputs())
        {
            Ok(block)
        } else {
            let expected = "the outputs of the convolution before it as inputs";
            let shape = scope.shape("conv.2.weight")?;
            Err(scope.shape_error("conv.2.weight", expected, shape))
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [first, second, third] = &self.convolutions;
        let residual = match &self.skip {
            Some(skip) => skip.forward(x.clone()),
            None => x.clone(),
        };
        let x = relu(second.forward(relu(first.forward(x))));
        relu(third.forward(x) + residual)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_fixtures::{assert_close, golden};

    use super::super::testing::{recorded, weights};
    use super::*;

    #[test]
    fn both_ways_equal_the_recordings() {
        let (encoder, decoder) = (weights("taesd_encoder"), weights("taesd_decoder"));
        let device = ComputeDevice::cpu();
        let (encoder, decoder) = (encoder.root(), decoder.root());
        let tiny = TinyAutoencoder::load(Some(&encoder), Some(&decoder), [0.182_15, 0.0], &device)
            .unwrap();
        assert_eq!((tiny.ratio(), tiny.image_channels()), (8, 3));
        let golden = golden("taesd");
        let decoded = tiny.decode(recorded(&golden, "latent", &device)).unwrap();
        let pictures = ((decoded + 1.0) / 2.0)
            .clamp(0.0, 1.0)
            .permute([0, 2, 3, 1]);
        let values = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().unwrap();
        assert_close("decoded", &values(pictures), &golden.f32("decoded"), 1e-4);
        let image: Tensor<4> = recorded(&golden, "image", &device);
        let encoded = tiny
            .encode(image.permute([0, 3, 1, 2]) * 2.0 - 1.0)
            .unwrap();
        assert_close("encoded", &values(encoded), &golden.f32("encoded"), 1e-4);
    }

    #[test]
    fn half_an_autoencoder_says_what_it_lacks() {
        let decoder = weights("taesd_decoder");
        let device = ComputeDevice::cpu();
        let tiny = TinyAutoencoder::load(None, Some(&decoder.root()), [1.0, 0.0], &device).unwrap();
        let pixels = Tensor::zeros([1, 3, 8, 8], device.tensor_device());
        let error = tiny.encode(pixels).unwrap_err();
        assert!(error.to_string().contains("no encoder"), "{error}");
        assert!(
            tiny.decode(Tensor::zeros([1, 16, 1, 1], device.tensor_device()))
                .is_err()
        );
    }
}
