//! A handle to a network that enlarges pictures.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::report_unused;
use super::tiled::{Resizing, Tiling};
use crate::device::{ComputeDevice, guarded};
use crate::error::{Error, Result};
use crate::models::upscaler::{Upscaler, UpscalerFile, enlarge};
use crate::residency::{Resident, Room};
use crate::weights::Weights;

/// The side of a tile in pixels of the small picture, and how far tiles reach into each other.
const TILE: usize = 512;
const OVERLAP: usize = 32;

/// Tiles are not made smaller than this where memory does not suffice.
const SMALLEST_TILE: usize = 128;

/// A model that enlarges pictures, or cleans them. Loaded when first used; cheap to clone.
#[derive(Debug, Clone)]
pub struct UpscaleModel {
    network: Resident<dyn Upscaler>,
    device: ComputeDevice,
}

impl UpscaleModel {
    /// Opens a file of one of the kinds that are known here.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds something else.
    pub fn open(path: &Path, device: &ComputeDevice) -> Result<Self> {
        let file = UpscalerFile::new(Weights::open(path)?)?;
        tracing::info!(file = %path.display(), kind = file.kind(), "upscale model opened");
        let target = device.clone();
        let name = format!("{} of {}", file.kind(), path.display());
        let weights = file.weights().clone();
        let footprint = move |width| weights.root().footprint(width);
        let load = move |room: &Arc<Room>| {
            let network = file.load(room, &target)?;
            report_unused(file.weights(), "");
            Ok(network)
        };
        Ok(Self {
            network: Resident::new(device.residency(), name, footprint, load),
            device: device.clone(),
        })
    }

    /// How many times as high and as wide a picture becomes.
    ///
    /// # Errors
    ///
    /// If the network cannot be loaded.
    pub fn scale(&self) -> Result<usize> {
        Ok(self.network.get()?.scale())
    }

    /// The pictures `[batch, scale · height, scale · width, channels]` in 0..1 of pictures `[batch, height, width, channels]`, computed
    /// in tiles that fade into each other. `progress` is told how many tiles are done, and of how many; its error ends the work.
    ///
    /// # Errors
    ///
    /// If the pictures do not fit the network, it cannot be loaded, or memory does not suffice even for small tiles.
    pub fn upscale(
        &self,
        images: Tensor<4>,
        progress: &mut dyn FnMut(usize, usize) -> Result<()>,
    ) -> Result<Tensor<4>> {
        let network = self.network.get()?;
        let [batch, height, width, channels] = images.dims();
        if channels != network.channels() || batch == 0 || height == 0 || width == 0 {
            return Err(Error::input(format!(
                "this upscale model takes pictures of {} channels, at least one of at least one pixel, got {:?}",
                network.channels(),
                images.dims()
            )));
        }
        let pictures = images.permute([0, 3, 1, 2]);
        let pictures = pictures.to_device(self.device.tensor_device());
        let mut tile = TILE;
        loop {
            let result = guarded("enlarge a picture", || {
                run(&*network, &pictures, tile, progress)
            });
            match result {
                Err(Error::OutOfMemory(reason)) if tile / 2 >= SMALLEST_TILE => {
                    tile /= 2;
                    tracing::warn!(%reason, tile, "upscaling in smaller tiles");
                    self.device.release_memory();
                }
                result => return result,
            }
        }
    }
}

fn run(
    network: &dyn Upscaler,
    pictures: &Tensor<4>,
    tile: usize,
    progress: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<Tensor<4>> {
    let [batch, _, height, width] = pictures.dims();
    let tiling = Tiling {
        tile: [tile, tile],
        overlap: OVERLAP,
    };
    let count = batch * tiling.count([height, width])?;
    let mut done = 0;
    let results = (0..batch).map(|index| {
        let picture = pictures.clone().narrow(0, index, 1);
        tiling.run(&picture, Resizing::Up(network.scale()), &mut |part| {
            let larger = enlarge(network, part);
            done += 1;
            progress(done, count)?;
            Ok(larger)
        })
    });
    let results = results.collect::<Result<Vec<_>>>()?;
    let larger = Tensor::cat(results, 0).clamp(0.0, 1.0);
    Ok(larger.permute([0, 2, 3, 1]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn opened(name: &str) -> UpscaleModel {
        let path = comfy_fixtures::path(&format!("upscalers/{name}.safetensors"));
        UpscaleModel::open(&path, &ComputeDevice::cpu()).unwrap()
    }

    #[test]
    fn a_large_picture_is_made_of_tiles_that_do_not_show() {
        let model = opened("compact_1x");
        let device = ComputeDevice::cpu();
        let ramp = Tensor::<1>::from_floats(
            (0..600 * 3)
                .map(|n| (n as f32 / 300.0).sin() * 0.4 + 0.5)
                .collect::<Vec<_>>()
                .as_slice(),
            device.tensor_device(),
        );
        let pictures = ramp.reshape([1, 1, 600, 3]).expand([2, 20, 600, 3]);
        let mut seen = Vec::new();
        let got = model
            .upscale(pictures.clone(), &mut |done, count| {
                seen.push((done, count));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen, [(1, 4), (2, 4), (3, 4), (4, 4)]);
        let network = model.network.get().unwrap();
        let whole = enlarge(&*network, pictures.permute([0, 3, 1, 2])).permute([0, 2, 3, 1]);
        // The edge of a tile sees zeros where its neighbour sees the picture; there it counts least.
        let difference = (got - whole).abs().mean().into_scalar::<f32>();
        assert!(difference < 2e-3, "{difference}");
    }

    #[test]
    fn work_ends_when_somebody_wants_it_to() {
        let model = opened("compact_4x");
        let picture = Tensor::zeros([1, 4, 4, 3], ComputeDevice::cpu().tensor_device());
        let stopped = model.upscale(picture, &mut |_, _| Err(Error::Interrupted));
        assert!(matches!(stopped, Err(Error::Interrupted)));
    }

    #[test]
    fn pictures_of_other_channels_are_refused() {
        let model = opened("compact_4x");
        let picture = Tensor::zeros([1, 4, 4, 4], ComputeDevice::cpu().tensor_device());
        let error = model.upscale(picture, &mut |_, _| Ok(())).unwrap_err();
        assert!(error.to_string().contains("3 channels"), "{error}");
    }
}
