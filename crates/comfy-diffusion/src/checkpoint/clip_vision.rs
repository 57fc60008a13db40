//! A handle to the network that says what pictures show.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::bicubic::antialiased_bicubic;
use super::layout::in_original_layout;
use super::{report_unused, unet};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::clip_vision::{ClipVisionModel, PictureEncoding};
use crate::residency::Resident;
use crate::weights::patch::NameMap;
use crate::weights::{Rounding, TensorSource, Weights};

/// The means and deviations of red, green and blue in training.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const DEVIATION: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Where a file may have the network: alone, as `OpenCLIP` saves it, or in a checkpoint.
const PREFIXES: [&str; 3] = ["", "visual.", "embedder.model.visual."];

/// The tensor by which the network is recognised, and the numbers of layers of those that are known.
const MARK: &str = "vision_model.encoder.layers.0.layer_norm1.weight";
const KNOWN_DEPTHS: [usize; 3] = [24, 32, 48];

/// The network that says what pictures show, loaded when first used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClipVision {
    model: Resident<ClipVisionModel>,
    device: ComputeDevice,
}

impl ClipVision {
    /// Opens a file that holds the network, alone or in a checkpoint.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or has no such network.
    pub fn open(path: &Path, device: &ComputeDevice) -> Result<Self> {
        let weights = Arc::new(in_original_layout(Weights::open(path)?));
        let unknown = |reason: String| Error::UnknownModel {
            path: path.to_owned(),
            reason,
        };
        let root = weights.root();
        let place = PREFIXES.iter().find(|prefix| root.enter(prefix).has(MARK));
        let Some(place) = place else {
            let what = if root.has("encoder.layer.0.layer_scale2.lambda1") {
                "it looks like DINOv2, which is not known here".to_owned()
            } else {
                format!(
                    "an image encoder of CLIP has a tensor `{MARK}`, but {}",
                    unet::describe(&root)
                )
            };
            return Err(unknown(what));
        };
        let scope = root.enter(place);
        if !scope.has("vision_model.embeddings.class_embedding") {
            return Err(unknown(
                "it looks like SigLIP, an image encoder that is not known here".to_owned(),
            ));
        }
        let depth = scope.enter("vision_model.encoder").count("layers");
        if !KNOWN_DEPTHS.contains(&depth) {
            return Err(unknown(format!(
                "the known image encoders of CLIP have {KNOWN_DEPTHS:?} layers (L, H, g), this one has {depth}"
            )));
        }
        let target = device.clone();
        let name = format!("image encoder of {}", path.display());
        let source = TensorSource::new(&weights, place, Rounding::Half);
        let names = |_: &TensorSource| NameMap::default();
        let load = move |source: &TensorSource| {
            let model = ClipVisionModel::load(&source.scope(), &target)?;
            report_unused(
                source.weights(),
                &format!("{}vision_model.", source.scope().prefix()),
            );
            Ok(Arc::new(model))
        };
        Ok(Self {
            model: Resident::of_weights(device.residency(), name, source, names, load),
            device: device.clone(),
        })
    }

    /// What pictures `[pictures, height, width, channels]` in 0..1 show. They are scaled so that the shorter side fits and cropped to
    /// the middle, or, where `crop` is false, squeezed into a square. Channels beyond three are left out.
    ///
    /// # Errors
    ///
    /// If there is no picture, or the network cannot be loaded.
    pub fn encode(&self, pictures: Tensor<4>, crop: bool) -> Result<PictureEncoding> {
        let model = self.model.get()?;
        let prepared = prepared(pictures, model.side(), crop)?;
        model.encode(Tensor::from_data(prepared, self.device.tensor_device()))
    }
}

/// Pictures `[pictures, height, width, channels]` in 0..1 as the network takes them: squares with the means and deviations of training.
pub(super) fn prepared(pictures: Tensor<4>, side: usize, crop: bool) -> Result<TensorData> {
    let [count, height, width, channels] = pictures.dims();
    if count == 0 || height == 0 || width == 0 || channels < 3 {
        return Err(Error::input(format!(
            "expected pictures of red, green and blue, got shape {:?}",
            pictures.dims()
        )));
    }
    let pixels = pictures.narrow(3, 0, 3).permute([0, 3, 1, 2]);
    let pixels = pixels
        .into_data()
        .convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|error| Error::Device(format!("cannot read pictures: {error}")))?;
    let mut prepared = Vec::with_capacity(count * 3 * side * side);
    for plane in pixels.chunks_exact(height * width) {
        let channel = prepared.len() / (side * side) % 3;
        let square = square(plane, [height, width], side, crop);
        let levels = square.into_iter().map(|value| {
            let level = (255.0 * value).clamp(0.0, 255.0).round_ties_even() / 255.0;
            (level - MEAN[channel]) / DEVIATION[channel]
        });
        prepared.extend(levels);
    }
    Ok(TensorData::new(prepared, [count, 3, side, side]))
}

/// A channel of a picture as a square.
fn square(plane: &[f32], [height, width]: [usize; 2], side: usize, crop: bool) -> Vec<f32> {
    if [height, width] == [side, side] {
        return plane.to_vec();
    }
    let [rows, columns] = if crop {
        let scale = side as f64 / height.min(width) as f64;
        [height, width].map(|size| (scale * size as f64).round_ties_even() as usize)
    } else {
        [side, side]
    };
    let scaled = antialiased_bicubic(plane, [height, width], [rows, columns]);
    let [top, left] = [rows, columns].map(|size| (size - side) / 2);
    (top..top + side)
        .flat_map(|row| &scaled[row * columns + left..][..side])
        .copied()
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
