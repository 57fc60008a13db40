//! A handle to a network that turns what pictures show into words of a prompt.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::layout::style_adapter_in_original_layout;
use super::unet;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::clip_vision::PictureEncoding;
use crate::models::style_adapter::StyleAdapter;
use crate::residency::Resident;
use crate::weights::{Scope, Weights};

/// The tensor by which the network is recognised, and that of the one for Flux.
const MARK: &str = "style_embedding";
const REDUX: &str = "redux_down.weight";

/// A network that turns what pictures show into words of a prompt, loaded when first used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StyleModel {
    network: Resident<StyleAdapter>,
}

impl StyleModel {
    /// Opens a file that holds one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds something else.
    pub fn open(path: &Path, device: &ComputeDevice) -> Result<Self> {
        let weights = style_adapter_in_original_layout(Weights::open(path)?);
        if !weights.contains(MARK) {
            let found = if weights.contains(REDUX) {
                "it looks like Redux, the style model of Flux, which is not known here".to_owned()
            } else {
                format!(
                    "a style model has a tensor `{MARK}`, but {}",
                    unet::describe(&weights.root())
                )
            };
            return Err(Error::UnknownModel {
                path: path.to_owned(),
                reason: found,
            });
        }
        let (target, name) = (device.clone(), format!("style model of {}", path.display()));
        let load = move |scope: &Scope| StyleAdapter::load(scope, &target).map(Arc::new);
        Ok(Self {
            network: Resident::of_file(device.residency(), name, Arc::new(weights), load),
        })
    }

    /// The words `[1, words, features]` for pictures.
    ///
    /// # Errors
    ///
    /// If the network cannot be loaded or is for another image encoder.
    pub fn words(&self, pictures: &PictureEncoding) -> Result<Tensor<3>> {
        self.network.get()?.words(pictures.last.clone())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::TensorData;
    use comfy_fixtures::assert_close;

    use super::*;

    #[test]
    fn pictures_become_the_recorded_words() {
        let path = comfy_fixtures::path("clip_vision/style.safetensors");
        let device = ComputeDevice::cpu();
        let model = StyleModel::open(&path, &device).unwrap();
        let recorded = Weights::open(&path).unwrap();
        let seen = TensorData::new(recorded.values("seen").unwrap(), [2, 5, 16]);
        let seen = Tensor::<3>::from_data(seen, device.tensor_device());
        let pictures = PictureEncoding {
            last: seen.clone(),
            penultimate: seen,
            summary: Tensor::zeros([2, 1], device.tensor_device()),
        };
        let words = model.words(&pictures).unwrap();
        assert_eq!(words.dims(), [1, 8, 12]);
        let words = words.into_data().try_to_vec::<f32>().unwrap();
        assert_close("words", &words, &recorded.values("words").unwrap(), 1e-4);
    }

    #[test]
    fn other_files_are_told_apart() {
        let path = comfy_fixtures::path("clip_vision/l.safetensors");
        let error = StyleModel::open(&path, &ComputeDevice::cpu()).unwrap_err();
        assert!(error.to_string().contains("style_embedding"), "{error}");
    }
}
