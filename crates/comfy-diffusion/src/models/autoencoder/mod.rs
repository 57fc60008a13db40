//! The autoencoder between pictures and latents (Rombach et al. 2022), in the layout of its original files.

mod block;
mod decoder;
mod encoder;

use burn::tensor::Tensor;

use self::decoder::Decoder;
use self::encoder::Encoder;
use super::{Activation, Observer, demand};
use crate::device::{ComputeDevice, Demand};
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry};
use crate::weights::Scope;

/// Groups of every group norm of this family.
const GROUPS: usize = 32;

/// Added to every variance.
const EPSILON: f64 = 1e-6;

/// The variational autoencoder of the latent diffusion models, used without its randomness.
#[derive(Debug)]
pub struct AutoencoderKl {
    encoder: Encoder,
    decoder: Decoder,
    /// After the encoder; absent in some families.
    quantise: Option<Conv2d>,
    /// Before the decoder; absent in some families.
    unquantise: Option<Conv2d>,
}

impl AutoencoderKl {
    /// Builds the autoencoder from the tensors of `scope` (`encoder`, `decoder`, `quant_conv`, `post_quant_conv`).
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape than the rest asks for.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let pointwise = |name: &str| {
            scope
                .has_scope(name)
                .then(|| Conv2d::load(&scope.enter(name), Geometry::same(1), device))
                .transpose()
        };
        // What always stays comes first; the blocks share the room that is left.
        let (inwards, outwards) = (scope.enter("encoder"), scope.enter("decoder"));
        let encoder = Encoder::load(&inwards, device)?;
        let decoder = Decoder::load(&outwards, device)?;
        let autoencoder = Self {
            quantise: pointwise("quant_conv")?,
            unquantise: pointwise("post_quant_conv")?,
            encoder: encoder.check(&inwards)?,
            decoder: decoder.check(&outwards)?,
        };
        autoencoder.check(scope)
    }

    fn check(self, scope: &Scope) -> Result<Self> {
        let latent = self.latent_channels();
        let moments = self.encoder.outputs();
        let (moments_in, moments_out) = match &self.quantise {
            Some(layer) => (layer.inputs(), layer.outputs()),
            None => (moments, moments),
        };
        let (hidden_in, hidden_out) = match &self.unquantise {
            Some(layer) => (layer.inputs(), layer.outputs()),
            None => (self.decoder.inputs(), self.decoder.inputs()),
        };
        let fits = moments == moments_in
            && moments_out == 2 * latent
            && hidden_in == latent
            && hidden_out == self.decoder.inputs()
            && self.encoder.halvings() == self.decoder.doublings()
            && self.encoder.inputs() == self.decoder.outputs();
        if fits {
            return Ok(self);
        }
        Err(Error::UnknownModel {
            path: scope.weights().path().to_owned(),
            reason: format!(
                "the parts of the autoencoder do not fit each other: the encoder gives {moments} channels and halves {} times, quant_conv has {moments_in} inputs and {moments_out} outputs, post_quant_conv {hidden_in} and {hidden_out}, the decoder takes {} and doubles {} times",
                self.encoder.halvings(),
                self.decoder.inputs(),
                self.decoder.doublings()
            ),
        })
    }

    /// How many channels a latent has.
    pub fn latent_channels(&self) -> usize {
        match &self.unquantise {
            Some(layer) => layer.inputs(),
            None => self.decoder.inputs(),
        }
    }

    /// How many channels a picture has.
    pub fn image_channels(&self) -> usize {
        self.decoder.outputs()
    }

    /// How many pixels in each direction one latent cell stands for.
    pub fn ratio(&self) -> usize {
        1 << self.decoder.doublings()
    }

    /// The mean of the latents of pictures `[batch, 3, height, width]` with values from -1 to 1:
    /// `[batch, channels, height / ratio, width / ratio]`.
    ///
    /// # Errors
    ///
    /// If height or width is no multiple of [`AutoencoderKl::ratio`], or the channels do not fit.
    pub fn encode(&self, pixels: Tensor<4>) -> Result<Tensor<4>> {
        self.encode_observed(pixels, &mut |_, _| {})
    }

    /// As [`AutoencoderKl::encode`], telling `observe` what each part computed.
    ///
    /// # Errors
    ///
    /// As [`AutoencoderKl::encode`].
    pub fn encode_observed(&self, pixels: Tensor<4>, observe: Observer) -> Result<Tensor<4>> {
        let [_, channels, height, width] = pixels.dims();
        let ratio = self.ratio();
        let whole = |size: usize| size > 0 && size.is_multiple_of(ratio);
        if channels != self.encoder.inputs() || !whole(height) || !whole(width) {
            return Err(Error::input(format!(
                "the encoder takes pictures [batch, {}, height, width] with sides that are multiples of {ratio}, got {:?}",
                self.encoder.inputs(),
                pixels.dims()
            )));
        }
        let mut moments = self.encoder.forward(pixels, observe)?;
        if let Some(layer) = &self.quantise {
            moments = layer.forward(moments);
            observe("quant_conv", Activation::Image(&moments));
        }
        // Means come first, then the logarithms of variances.
        Ok(moments.narrow(1, 0, self.latent_channels()))
    }

    /// The pictures of latents `[batch, channels, height, width]`: `[batch, 3, ratio · height, ratio · width]`, with values from
    /// about -1 to 1.
    ///
    /// # Errors
    ///
    /// If the latents have no cell or other channels.
    pub fn decode(&self, latent: Tensor<4>) -> Result<Tensor<4>> {
        self.decode_observed(latent, &mut |_, _| {})
    }

    /// As [`AutoencoderKl::decode`], telling `observe` what each part computed.
    ///
    /// # Errors
    ///
    /// As [`AutoencoderKl::decode`].
    pub fn decode_observed(&self, latent: Tensor<4>, observe: Observer) -> Result<Tensor<4>> {
        let [_, channels, height, width] = latent.dims();
        if channels != self.latent_channels() || height == 0 || width == 0 {
            return Err(Error::input(format!(
                "the decoder takes latents of {} channels and at least one cell, got {:?}",
                self.latent_channels(),
                latent.dims()
            )));
        }
        let mut x = latent;
        if let Some(layer) = &self.unquantise {
            x = layer.forward(x);
            observe("post_quant_conv", Activation::Image(&x));
        }
        self.decoder.forward(x, observe)
    }
}

impl super::Autoencoder for AutoencoderKl {
    fn ratio(&self) -> usize {
        self.ratio()
    }

    fn image_channels(&self) -> usize {
        self.image_channels()
    }

    fn encode(&self, pixels: Tensor<4>) -> Result<Tensor<4>> {
        self.encode(pixels)
    }

    fn decode(&self, latent: Tensor<4>) -> Result<Tensor<4>> {
        self.decode(latent)
    }

    fn encoding(&self, [height, width]: [usize; 2]) -> Demand {
        demand(self.encoder.largest(height as u64 * width as u64))
    }

    fn decoding(&self, [height, width]: [usize; 2]) -> Demand {
        demand(self.decoder.largest(height as u64 * width as u64))
    }
}

#[cfg(test)]
mod tests;
