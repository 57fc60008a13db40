//! A handle to a network that puts the person of a picture into a prompt.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::clip_vision::prepared;
use super::unet;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::photo_maker::PhotoMaker as Network;
use crate::residency::Resident;
use crate::text::{CHUNK_LENGTH, Clip, EncodedText};
use crate::weights::patch::NameMap;
use crate::weights::{Rounding, TensorSource, Weights};

/// Where a file may have the network.
const PREFIXES: [&str; 2] = ["id_encoder.", ""];

/// The tensor by which the network is recognised, and one that only its second version has.
const MARK: &str = "fuse_module.mlp1.fc1.weight";
const SECOND_VERSION: &str = "qformer_perceiver";

/// What stands for the person in a prompt.
const WORD: &str = "photomaker";

/// A network that puts the person of a picture into a prompt, loaded when first used. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PhotoMaker {
    network: Resident<Network>,
    device: ComputeDevice,
}

impl PhotoMaker {
    /// Opens a file that holds one.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or holds something else.
    pub fn open(path: &Path, device: &ComputeDevice) -> Result<Self> {
        let weights = Arc::new(Weights::open(path)?);
        let root = weights.root();
        let place = PREFIXES.iter().find(|prefix| root.enter(prefix).has(MARK));
        let unknown = |reason: String| Error::UnknownModel {
            path: path.to_owned(),
            reason,
        };
        let Some(place) = place else {
            let found = unet::describe(&root);
            return Err(unknown(format!(
                "PhotoMaker has a tensor `{MARK}`, but {found}"
            )));
        };
        if root.enter(place).has_scope(SECOND_VERSION) {
            let what = "it looks like version 2 of PhotoMaker, which is not known here";
            return Err(unknown(what.to_owned()));
        }
        let (target, name) = (device.clone(), format!("PhotoMaker of {}", path.display()));
        let source = TensorSource::new(&weights, place, Rounding::Half);
        let names = |_: &TensorSource| NameMap::default();
        let load =
            move |source: &TensorSource| Network::load(&source.scope(), &target).map(Arc::new);
        Ok(Self {
            network: Resident::of_weights(device.residency(), name, source, names, load),
            device: device.clone(),
        })
    }

    /// The vectors of a prompt, in which the place of the word `photomaker` is taken by the person of the first of the pictures
    /// `[pictures, height, width, channels]`. A prompt without this word is encoded as it is.
    ///
    /// Places are counted as programs do: a word between two blanks is taken for one token, and the parts of a prompt that are weighted
    /// apart, of which the number is that of the place, are left out.
    ///
    /// # Errors
    ///
    /// If the text encoder or the network cannot be loaded or do not fit each other, or the prompt is longer than one chunk.
    pub fn encode(&self, clip: &Clip, prompt: &str, pictures: &Tensor<4>) -> Result<EncodedText> {
        let place = prompt.split(' ').position(|word| word == WORD);
        let mut tokens = clip.tokenize(prompt)?;
        let Some(place) = place else {
            return clip.encode_tokens(&tokens);
        };
        for chunk in tokens.iter_mut().flat_map(|(_, chunks)| chunks) {
            let (length, last) = (chunk.len(), chunk.last().cloned());
            chunk.retain(|token| token.part != place + 1);
            if let Some(last) = last {
                chunk.resize(length, last);
            }
        }
        let text = clip.encode_tokens(&tokens)?;
        let [_, length, width] = text.cond.dims();
        if length != CHUNK_LENGTH {
            return Err(Error::input(format!(
                "expected a prompt of at most {CHUNK_LENGTH} tokens, got {length}"
            )));
        }
        let network = self.network.get()?;
        if width != network.width() {
            return Err(Error::input(format!(
                "PhotoMaker changes words of {} features, but those of the text encoder have {width}",
                network.width()
            )));
        }
        if place >= length {
            return Ok(text);
        }
        let target = self.device.tensor_device();
        let picture = prepared(
            pictures.clone().narrow(0, 0, pictures.dims()[0].min(1)),
            network.side(),
            true,
        )?;
        let words = text.cond.clone().to_device(target);
        let fused = network.fuse(
            words.clone().narrow(1, place, 1),
            Tensor::from_data(picture, target),
        )?;
        Ok(EncodedText {
            cond: words.slice_assign([0..1, place..place + 1, 0..width], fused),
            ..text
        })
    }
}
