//! A handle to the autoencoder between pictures and latents.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::layout::in_original_layout;
use super::tiled::{Resizing, Tiling};
use super::{AUTOENCODER_PREFIXES, report_unused, unet};
use crate::device::{ByteSize, ComputeDevice, Demand, failed, guarded};
use crate::error::{Error, Result};
use crate::models::Autoencoder;
use crate::models::autoencoder::AutoencoderKl;
use crate::models::tiny_autoencoder::TinyAutoencoder;
use crate::residency::{Resident, Room};
use crate::sampling::LatentFormat;
use crate::weights::patch::NameMap;
use crate::weights::{Rounding, TensorSource, Weights};

/// An autoencoder, loaded when first used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vae {
    network: Resident<dyn Autoencoder>,
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
        let target = device.clone();
        let name = format!("autoencoder of {}", weights.path().display());
        let source = TensorSource::new(weights, prefix, Rounding::None);
        // No program makes files of changes for it.
        let names = |_: &TensorSource| NameMap::default();
        let load = move |source: &TensorSource| {
            let scope = source.scope();
            let network: Arc<dyn Autoencoder> = Arc::new(AutoencoderKl::load(&scope, &target)?);
            report_unused(source.weights(), scope.prefix());
            Ok(network)
        };
        Some(Self {
            network: Resident::of_weights(device.residency(), name, source, names, load),
            device: device.clone(),
        })
    }

    /// A tiny autoencoder in files of its own: an encoder, a decoder, or both. It takes and gives latents in the autoencoder's scale of
    /// the family that `format` belongs to; without a format, in the network's.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn open_tiny(
        encoder: Option<&Path>,
        decoder: Option<&Path>,
        format: Option<&LatentFormat>,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let open = |path: &Path| Weights::open(path).map(Arc::new);
        let (encoder, decoder) = (
            encoder.map(open).transpose()?,
            decoder.map(open).transpose()?,
        );
        let path = decoder.as_ref().or(encoder.as_ref());
        let name = path.map_or_else(String::new, |weights| {
            format!("tiny autoencoder of {}", weights.path().display())
        });
        let scale = format.map_or([1.0, 0.0], |format| [format.scale, format.shift]);
        let target = device.clone();
        let files: Vec<_> = encoder.iter().chain(&decoder).cloned().collect();
        let footprint = move |width| files.iter().map(|file| file.root().footprint(width)).sum();
        let load = move |room: &Arc<Room>| {
            let [encoder, decoder] = [&encoder, &decoder]
                .map(|part| part.as_ref().map(|part| part.root().in_room(room)));
            let tiny = TinyAutoencoder::load(encoder.as_ref(), decoder.as_ref(), scale, &target)?;
            Ok(Arc::new(tiny) as Arc<dyn Autoencoder>)
        };
        Ok(Self {
            network: Resident::new(device.residency(), name, footprint, load),
            device: device.clone(),
        })
    }

    /// Its tensors, where it is an autoencoder in one file.
    pub fn source(&self) -> Option<TensorSource> {
        self.network.source()
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
    /// autoencoder's scale. A latent for which memory does not suffice is decoded in tiles.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] if a picture is not made of numbers; or if the latents do not fit the network or it cannot be loaded.
    pub fn decode(&self, latents: Tensor<4>) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        let work = Work {
            doing: "decode a latent",
            tiles: DECODED_TILES,
            demand: &|size| network.decoding(size),
            compute: &|latent, tiling| match tiling {
                None => checked(network.decode(latent.clone())?),
                Some(square) => checked(decode_tiles(&*network, latent, square)?),
            },
        };
        self.each(latents, |latent| {
            work.run(&latent, &self.device).map(to_picture)
        })
    }

    /// As [`Vae::decode`], in tiles of `tile` latent cells that overlap by `overlap`: the mean over square, flat and tall tiles, so
    /// that no edge shows.
    ///
    /// # Errors
    ///
    /// As [`Vae::decode`]; or if half a tile is no larger than the overlap.
    pub fn decode_tiled(
        &self,
        latents: Tensor<4>,
        tile: usize,
        overlap: usize,
    ) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        let square = Tiling {
            tile: [tile, tile],
            overlap,
        };
        self.each(latents, |latent| {
            checked(decode_tiles(&*network, &latent, square)?).map(to_picture)
        })
    }

    /// As [`Vae::encode`], in tiles of `tile` pixels that overlap by `overlap`: the mean over square, flat and tall tiles.
    ///
    /// # Errors
    ///
    /// As [`Vae::encode`]; or if half a tile is no larger than the overlap.
    pub fn encode_tiled(
        &self,
        images: Tensor<4>,
        tile: usize,
        overlap: usize,
    ) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        let square = Tiling {
            tile: [tile, tile],
            overlap,
        };
        let cropped = cropped(images, &*network)?;
        self.each(cropped, |image| {
            encode_tiles(&*network, &to_pixels(image), square)
        })
    }

    /// The latents of pictures `[batch, height, width, channels]` in 0..1: the mean of what the encoder gives. Sides are cropped to
    /// multiples of the network's ratio, evenly on both ends; channels beyond three are left out. A picture for which memory does not
    /// suffice is encoded in tiles.
    ///
    /// # Errors
    ///
    /// If the pictures are smaller than one latent cell or have fewer than three channels, or the network cannot be loaded.
    pub fn encode(&self, images: Tensor<4>) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        let cropped = cropped(images, &*network)?;
        let work = Work {
            doing: "encode a picture",
            tiles: ENCODED_TILES,
            demand: &|size| network.encoding(size),
            compute: &|pixels, tiling| match tiling {
                None => network.encode(pixels.clone()),
                Some(square) => encode_tiles(&*network, pixels, square),
            },
        };
        self.each(cropped, |image| work.run(&to_pixels(image), &self.device))
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

/// The middle of pictures `[batch, height, width, channels]` that the network can encode, of as many channels as it takes.
fn cropped(images: Tensor<4>, network: &dyn Autoencoder) -> Result<Tensor<4>> {
    let [batch, height, width, channels] = images.dims();
    let (ratio, wanted) = (network.ratio(), network.image_channels());
    if channels < wanted || height < ratio || width < ratio {
        return Err(Error::input(format!(
            "expected pictures of at least {ratio} by {ratio} pixels and {wanted} channels, got {height} by {width} and {channels}"
        )));
    }
    let [top, left] = [height, width].map(|side| (side % ratio) / 2);
    let [height, width] = [height, width].map(|side| side - side % ratio);
    Ok(images.slice([0..batch, top..top + height, left..left + width, 0..wanted]))
}

/// What is done with one item `[1, channels, height, width]`: as a whole, or in tiles where memory does not suffice for that.
struct Work<'a> {
    /// In words, for logs.
    doing: &'static str,
    /// The tiles to take. Where even one of them is too large for the device's tensors they are halved.
    tiles: Tiling,
    /// The memory that an item of a height and width takes.
    demand: &'a dyn Fn([usize; 2]) -> Demand,
    compute: &'a dyn Fn(&Tensor<4>, Option<Tiling>) -> Result<Tensor<4>>,
}

impl Work<'_> {
    fn run(&self, item: &Tensor<4>, device: &ComputeDevice) -> Result<Tensor<4>> {
        let [_, _, height, width] = item.dims();
        let size = [height, width];
        let demand = (self.demand)(size);
        let tiles = self.tiles_for(device.info().largest_tensor());
        let reason = if device.has_room_for(demand) || !tiles.divides(size) {
            match guarded(self.doing, || (self.compute)(item, None)) {
                Err(Error::OutOfMemory(reason)) if tiles.divides(size) => reason,
                result => return result,
            }
        } else {
            format!("it takes about {}", ByteSize(demand.total))
        };
        let Tiling { tile, overlap } = tiles;
        tracing::warn!(
            %reason, height, width, ?tile, overlap,
            "not enough memory to {} as a whole; it is done in tiles", self.doing
        );
        device.release_memory();
        guarded(self.doing, || (self.compute)(item, Some(tiles)))
    }

    fn tiles_for(&self, largest_tensor: u64) -> Tiling {
        let mut tiles = self.tiles;
        let is_too_large = |tiles: Tiling| (self.demand)(tiles.tile).largest > largest_tensor;
        for _ in 0..MOST_HALVINGS {
            if is_too_large(tiles) {
                tiles = tiles.halved();
            }
        }
        tiles
    }
}

fn decode_tiles(
    network: &dyn Autoencoder,
    latent: &Tensor<4>,
    square: Tiling,
) -> Result<Tensor<4>> {
    let resizing = Resizing::Up(network.ratio());
    let run = |tiling: Tiling| tiling.run(latent, resizing, &mut |part| network.decode(part));
    Ok((run(square.tall())? + run(square.flat())? + run(square)?) / 3.0)
}

fn encode_tiles(
    network: &dyn Autoencoder,
    pixels: &Tensor<4>,
    square: Tiling,
) -> Result<Tensor<4>> {
    let resizing = Resizing::Down(network.ratio());
    let run = |tiling: Tiling| tiling.run(pixels, resizing, &mut |part| network.encode(part));
    Ok((run(square)? + run(square.flat())? + run(square.tall())?) / 3.0)
}

/// Pictures `[batch, height, width, channels]` in 0..1 as an encoder takes them.
fn to_pixels(images: Tensor<4>) -> Tensor<4> {
    images.permute([0, 3, 1, 2]) * 2.0 - 1.0
}

/// What a decoder gave, if it is made of numbers.
fn checked(decoded: Tensor<4>) -> Result<Tensor<4>> {
    // One value that is no number makes the sum none.
    let sum: f32 = decoded
        .clone()
        .sum()
        .try_into_scalar()
        .map_err(|error| failed("decode a latent", &error.to_string()))?;
    if !sum.is_finite() {
        return Err(Error::NotFinite {
            what: "decoding a latent".to_owned(),
            dtype: "f32".to_owned(),
        });
    }
    Ok(decoded)
}

/// What a decoder gave as a picture `[1, height, width, channels]` in 0..1.
fn to_picture(decoded: Tensor<4>) -> Tensor<4> {
    ((decoded + 1.0) / 2.0)
        .clamp(0.0, 1.0)
        .permute([0, 2, 3, 1])
}

/// The tensor by which an autoencoder is recognised.
const MARK: &str = "decoder.conv_in.weight";

/// The tiles, in latent cells, in which other programs decode when memory does not suffice.
const DECODED_TILES: Tiling = Tiling {
    tile: [64, 64],
    overlap: 16,
};

/// The same for encoding, in pixels.
const ENCODED_TILES: Tiling = Tiling {
    tile: [512, 512],
    overlap: 64,
};

/// Tiles are not made smaller than a quarter of these.
const MOST_HALVINGS: usize = 2;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
