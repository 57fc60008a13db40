//! A handle to the autoencoder between pictures and latents.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::{AUTOENCODER_PREFIXES, diffusers_vae, report_unused, unet};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::autoencoder::AutoencoderKl;
use crate::residency::Resident;
use crate::weights::Weights;

/// An autoencoder, loaded when first used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vae {
    network: Resident<AutoencoderKl>,
    device: ComputeDevice,
}

impl Vae {
    /// Opens a file that holds an autoencoder, alone or in a checkpoint.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or has no autoencoder of a known layout.
    pub fn open(path: &Path, device: &ComputeDevice) -> Result<Self> {
        let weights = Arc::new(in_original_layout(Weights::open(path)?));
        let mut places = [""].into_iter().chain(AUTOENCODER_PREFIXES);
        places
            .find_map(|prefix| Self::at(&weights, prefix, device))
            .ok_or_else(|| {
                let found = unet::describe(&weights.root());
                let path = weights.path().to_owned();
                Error::UnknownModel {
                    path,
                    reason: format!("an autoencoder has a tensor `{MARK}`, but {found}"),
                }
            })
    }

    /// The autoencoder at `prefix`, if there is one.
    pub(super) fn at(
        weights: &Arc<Weights>,
        prefix: &'static str,
        device: &ComputeDevice,
    ) -> Option<Self> {
        if !weights.root().enter(prefix).has(MARK) {
            return None;
        }
        let (source, target) = (Arc::clone(weights), device.clone());
        let name = format!("autoencoder of {}", weights.path().display());
        let load = move || {
            let scope = source.root().enter(prefix);
            let network = Arc::new(AutoencoderKl::load(&scope, &target)?);
            report_unused(&source, scope.prefix());
            Ok(network)
        };
        Some(Self {
            network: Resident::new(device.residency(), name, load),
            device: device.clone(),
        })
    }

    /// How many pixels in each direction one latent cell stands for.
    ///
    /// # Errors
    ///
    /// If the network cannot be loaded.
    pub fn ratio(&self) -> Result<usize> {
        Ok(self.network.get()?.ratio())
    }

    /// The pictures `[batch, height, width, 3]` in 0..1 of latents `[batch, channels, height / ratio, width / ratio]` in the
    /// autoencoder's scale.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] if a picture is not made of numbers; or if the latents do not fit the network or it cannot be loaded.
    pub fn decode(&self, latents: Tensor<4>) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        self.each(latents, |latent| {
            let picture = network.decode(latent)?;
            // One value that is no number makes the sum none.
            if !picture.clone().sum().into_scalar::<f32>().is_finite() {
                return Err(Error::NotFinite {
                    what: "decoding a latent".to_owned(),
                    dtype: "f32".to_owned(),
                });
            }
            Ok(((picture + 1.0) / 2.0)
                .clamp(0.0, 1.0)
                .permute([0, 2, 3, 1]))
        })
    }

    /// The latents of pictures `[batch, height, width, channels]` in 0..1: the mean of what the encoder gives. Sides are cropped to
    /// multiples of the network's ratio, evenly on both ends; channels beyond three are left out.
    ///
    /// # Errors
    ///
    /// If the pictures are smaller than one latent cell or have fewer than three channels, or the network cannot be loaded.
    pub fn encode(&self, images: Tensor<4>) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        let [batch, height, width, channels] = images.dims();
        let (ratio, wanted) = (network.ratio(), network.image_channels());
        if channels < wanted || height < ratio || width < ratio {
            return Err(Error::input(format!(
                "expected pictures of at least {ratio} by {ratio} pixels and {wanted} channels, got {height} by {width} and {channels}"
            )));
        }
        let [top, left] = [height, width].map(|side| (side % ratio) / 2);
        let [height, width] = [height, width].map(|side| side - side % ratio);
        let cropped = images.slice([0..batch, top..top + height, left..left + width, 0..wanted]);
        self.each(cropped, |image| {
            network.encode(image.permute([0, 3, 1, 2]) * 2.0 - 1.0)
        })
    }

    /// One item of a batch after the other: memory grows with the size of a picture, not with the number of them.
    fn each(
        &self,
        batch: Tensor<4>,
        convert: impl Fn(Tensor<4>) -> Result<Tensor<4>>,
    ) -> Result<Tensor<4>> {
        let batch = batch.to_device(self.device.tensor_device());
        let count = batch.dims()[0];
        let converted = (0..count)
            .map(|index| convert(batch.clone().narrow(0, index, 1)))
            .collect::<Result<Vec<_>>>()?;
        if converted.is_empty() {
            return Err(Error::input(
                "expected at least one picture or latent, got none",
            ));
        }
        Ok(Tensor::cat(converted, 0))
    }
}

/// The tensor by which an autoencoder is recognised.
const MARK: &str = "decoder.conv_in.weight";

/// The same weights under the names of the original files.
fn in_original_layout(weights: Weights) -> Weights {
    if !weights.contains(diffusers_vae::MARK) {
        return weights;
    }
    let levels = weights.root().count("decoder.up_blocks");
    weights.renamed(|name| diffusers_vae::original_name(name, levels))
}
