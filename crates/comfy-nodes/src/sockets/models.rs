//! Handles to models, text encoders and autoencoders.

use std::sync::Arc;

use burn::tensor::Tensor;
use comfy_graph::{NodeError, Socket};

use super::image::Image;
use super::transfer::{on_host, values_of};
use crate::errors::from_diffusion;

/// What a checkpoint may lack: a handle, and the file that was to give it.
#[derive(Debug, Clone)]
struct Part<T> {
    handle: Option<T>,
    source: Arc<str>,
}

impl<T> Part<T> {
    fn new(handle: Option<T>, source: &str) -> Self {
        Self {
            handle,
            source: source.into(),
        }
    }

    fn get(&self, what: &str) -> Result<&T, NodeError> {
        let missing = || {
            NodeError::runtime(format_args!(
                "expected a file with {what}, but '{}' has none",
                self.source
            ))
        };
        self.handle.as_ref().ok_or_else(missing)
    }
}

/// A diffusion model. Its weights are loaded when it is used.
#[derive(Debug, Clone)]
pub struct Model(Part<comfy_diffusion::Model>);

impl Socket for Model {
    const TYPE: &'static str = "MODEL";
}

impl Model {
    /// A handle, or nothing where the file `source` has no diffusion model; that is an error only when it is used.
    pub fn new(handle: Option<comfy_diffusion::Model>, source: &str) -> Self {
        Self(Part::new(handle, source))
    }

    /// The handle.
    pub fn get(&self) -> Result<&comfy_diffusion::Model, NodeError> {
        self.0.get("a diffusion model")
    }

    /// A changed handle of the same file.
    pub fn try_map(
        &self,
        change: impl FnOnce(&comfy_diffusion::Model) -> Result<comfy_diffusion::Model, NodeError>,
    ) -> Result<Self, NodeError> {
        Ok(Self::new(Some(change(self.get()?)?), &self.0.source))
    }

    /// A changed handle of the same file, where the change cannot fail.
    pub fn map(
        &self,
        change: impl FnOnce(comfy_diffusion::Model) -> comfy_diffusion::Model,
    ) -> Result<Self, NodeError> {
        Ok(Self::new(Some(change(self.get()?.clone())), &self.0.source))
    }

    /// A handle with other hooks.
    pub fn with_hooks(
        &self,
        change: impl FnOnce(comfy_diffusion::sampling::Hooks) -> comfy_diffusion::sampling::Hooks,
    ) -> Result<Self, NodeError> {
        self.map(|mut model| {
            model.hooks = change(model.hooks);
            model
        })
    }
}

/// A text encoder. Its weights are loaded when it is used.
#[derive(Debug, Clone)]
pub struct Clip(Part<comfy_diffusion::text::Clip>);

impl Socket for Clip {
    const TYPE: &'static str = "CLIP";
}

impl Clip {
    /// A handle, or nothing where the file `source` has no text encoder; that is an error only when it is used.
    pub fn new(handle: Option<comfy_diffusion::text::Clip>, source: &str) -> Self {
        Self(Part::new(handle, source))
    }

    /// The handle.
    pub fn get(&self) -> Result<&comfy_diffusion::text::Clip, NodeError> {
        self.0.get("a text encoder")
    }

    /// A changed handle of the same file.
    pub fn map(
        &self,
        change: impl FnOnce(&comfy_diffusion::text::Clip) -> comfy_diffusion::text::Clip,
    ) -> Result<Self, NodeError> {
        Ok(Self::new(Some(change(self.get()?)), &self.0.source))
    }

    /// A changed handle of the same file, where the change can fail.
    pub fn try_map(
        &self,
        change: impl FnOnce(
            &comfy_diffusion::text::Clip,
        ) -> Result<comfy_diffusion::text::Clip, NodeError>,
    ) -> Result<Self, NodeError> {
        Ok(Self::new(Some(change(self.get()?)?), &self.0.source))
    }
}

/// An autoencoder. Its weights are loaded when it is used.
#[derive(Debug, Clone)]
pub struct Vae(Coder);

#[derive(Debug, Clone)]
enum Coder {
    Autoencoder(Part<comfy_diffusion::Vae>),
    PixelSpace,
}

impl Socket for Vae {
    const TYPE: &'static str = "VAE";
}

impl Vae {
    /// The name of the autoencoder that changes nothing but the range.
    pub const PIXEL_SPACE: &'static str = "pixel_space";

    /// A handle, or nothing where the file `source` has no autoencoder; that is an error only when it is used.
    pub fn new(handle: Option<comfy_diffusion::Vae>, source: &str) -> Self {
        Self(Coder::Autoencoder(Part::new(handle, source)))
    }

    /// The handle; nothing for models that work on pixels.
    pub fn handle(&self) -> Result<Option<&comfy_diffusion::Vae>, NodeError> {
        match &self.0 {
            Coder::PixelSpace => Ok(None),
            Coder::Autoencoder(part) => part.get("an autoencoder").map(Some),
        }
    }

    /// For models that work on pixels: latents are the pictures themselves, from -1 to 1.
    pub fn pixel_space() -> Self {
        Self(Coder::PixelSpace)
    }

    /// How many pixels in each direction one latent cell stands for.
    pub fn ratio(&self) -> Result<usize, NodeError> {
        match &self.0 {
            Coder::PixelSpace => Ok(1),
            Coder::Autoencoder(part) => part.get("an autoencoder")?.ratio().map_err(from_diffusion),
        }
    }

    /// Pictures from latents `[batch, channel, height, width]`. Values that are not numbers are an error, as they would become
    /// black pixels.
    pub fn decode(&self, latents: Tensor<4>) -> Result<Image, NodeError> {
        self.decode_with(latents, comfy_diffusion::Vae::decode)
    }

    /// As [`Vae::decode`], in tiles of `tile` latent cells that overlap by `overlap`.
    pub fn decode_tiled(
        &self,
        latents: Tensor<4>,
        tile: usize,
        overlap: usize,
    ) -> Result<Image, NodeError> {
        self.decode_with(latents, |vae, latents| {
            vae.decode_tiled(latents, tile, overlap)
        })
    }

    fn decode_with(
        &self,
        latents: Tensor<4>,
        decode: impl FnOnce(&comfy_diffusion::Vae, Tensor<4>) -> comfy_diffusion::Result<Tensor<4>>,
    ) -> Result<Image, NodeError> {
        let pictures = match &self.0 {
            Coder::PixelSpace => {
                let pictures = on_host(latents)?.add_scalar(1.0).div_scalar(2.0);
                pictures.clamp(0.0, 1.0).permute([0, 2, 3, 1])
            }
            Coder::Autoencoder(part) => {
                decode(part.get("an autoencoder")?, latents).map_err(from_diffusion)?
            }
        };
        let (shape, kind) = (pictures.dims(), pictures.dtype());
        let values = values_of(pictures)?;
        let wrong = values.iter().filter(|value| value.is_nan()).count();
        if wrong > 0 {
            return Err(NodeError::runtime(format_args!(
                "expected pictures of numbers from the autoencoder, got {wrong} of {} values that are not numbers ({kind:?})",
                values.len()
            )));
        }
        Image::from_values(values, shape)
    }

    /// Latents `[batch, channel, height, width]` from pictures, wherever they were computed.
    pub fn encode(&self, pictures: &Image) -> Result<Tensor<4>, NodeError> {
        self.encode_with(pictures, comfy_diffusion::Vae::encode)
    }

    /// As [`Vae::encode`], in tiles of `tile` pixels that overlap by `overlap`.
    pub fn encode_tiled(
        &self,
        pictures: &Image,
        tile: usize,
        overlap: usize,
    ) -> Result<Tensor<4>, NodeError> {
        self.encode_with(pictures, |vae, pictures| {
            vae.encode_tiled(pictures, tile, overlap)
        })
    }

    fn encode_with(
        &self,
        pictures: &Image,
        encode: impl FnOnce(&comfy_diffusion::Vae, Tensor<4>) -> comfy_diffusion::Result<Tensor<4>>,
    ) -> Result<Tensor<4>, NodeError> {
        let [batch, height, width, channels] = pictures.shape();
        if batch == 0 || channels < 3 {
            return Err(NodeError::value(format_args!(
                "expected pictures of red, green and blue, got shape {:?}",
                pictures.shape()
            )));
        }
        match &self.0 {
            Coder::PixelSpace => {
                let colours = pictures
                    .tensor()
                    .slice([0..batch, 0..height, 0..width, 0..3]);
                Ok(colours
                    .permute([0, 3, 1, 2])
                    .mul_scalar(2.0)
                    .sub_scalar(1.0))
            }
            Coder::Autoencoder(part) => {
                encode(part.get("an autoencoder")?, pictures.tensor()).map_err(from_diffusion)
            }
        }
    }
}
