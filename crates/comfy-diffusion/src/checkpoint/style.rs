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
use crate::weights::Weights;

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
        let load = move || StyleAdapter::load(&weights.root(), &target).map(Arc::new);
        Ok(Self {
            network: Resident::new(device.residency(), name, load),
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
