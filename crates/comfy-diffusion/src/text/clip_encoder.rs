//! Text encoders that consist of CLIP networks, described by data.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::clip::{TextEncoder, TextOptions, Tokens};
use super::clip_model::{Activation, ClipTextModel, HiddenChoice};
use super::encode::{self, EncodedText};
use super::token::{CLIP_G, CLIP_H, CLIP_L, ChunkRules, chunks_of_prompt};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::residency::Resident;
use crate::weight_hooks::WeightChange;
use crate::weights::patch::{Blend, NameMap, PatchFile};
use crate::weights::{Rounding, TensorSource, Weights};

/// One CLIP network as a family of models uses it.
#[derive(Debug, Clone, Copy)]
pub struct ClipKind {
    /// How it wants its prompts.
    pub rules: ChunkRules,
    /// What its perceptrons compute.
    pub activation: Activation,
    /// The layer that is taken unless the user chooses another.
    pub hidden: HiddenChoice,
}

/// CLIP-L as Stable Diffusion 1 uses it: its last layer, normalised.
pub const CLIP_L_LAST: ClipKind = ClipKind {
    rules: CLIP_L,
    activation: Activation::QuickGelu,
    hidden: HiddenChoice {
        skipped_layers: 0,
        normalised: true,
    },
};

/// CLIP-L as Stable Diffusion XL uses it: the layer before the last, as it is.
pub const CLIP_L_PENULTIMATE: ClipKind = ClipKind {
    hidden: PENULTIMATE,
    ..CLIP_L_LAST
};

/// OpenCLIP's bigG, which XL uses: the layer before the last, as it is.
pub const CLIP_G_PENULTIMATE: ClipKind = ClipKind {
    rules: CLIP_G,
    activation: Activation::Gelu,
    hidden: PENULTIMATE,
};

/// OpenCLIP's H, which Stable Diffusion 2 uses: the layer before the last, normalised.
pub const CLIP_H_PENULTIMATE: ClipKind = ClipKind {
    rules: CLIP_H,
    activation: Activation::Gelu,
    hidden: HiddenChoice {
        skipped_layers: 1,
        normalised: true,
    },
};

const PENULTIMATE: HiddenChoice = HiddenChoice {
    skipped_layers: 1,
    normalised: false,
};

/// One or several CLIP networks. Their vectors for the same token are put beside each other, and the last network gives the summary.
#[derive(Debug)]
pub struct ClipEncoder {
    networks: Vec<Network>,
    device: ComputeDevice,
}

#[derive(Debug)]
struct Network {
    kind: ClipKind,
    model: Resident<ClipTextModel>,
}

impl ClipEncoder {
    /// An encoder without networks, which are [added](ClipEncoder::with).
    pub fn new(device: &ComputeDevice) -> Self {
        Self {
            networks: Vec::new(),
            device: device.clone(),
        }
    }

    /// One more network: the one at `prefix` of a file, loaded when first used.
    #[must_use]
    pub fn with(mut self, kind: ClipKind, weights: &Arc<Weights>, prefix: &str) -> Self {
        let key = kind.rules.embedding_key;
        let name = format!("text encoder {key} of {}", weights.path().display());
        let is_second = !self.networks.is_empty();
        // That is how text encoders have been run since the first models, whatever precision their files have; their output differs
        // visibly less from other programs' when the weights do not differ.
        let source = TensorSource::new(weights, prefix, Rounding::Half);
        let names =
            move |source: &TensorSource| NameMap::of_text_encoder(&source.scope(), key, is_second);
        let target = self.device.clone();
        let load = move |source: &TensorSource| {
            let model = ClipTextModel::load(source, kind.activation, &target);
            model.map(Arc::new)
        };
        let model = Resident::of_weights(self.device.residency(), name, source, names, load);
        self.networks.push(Network { kind, model });
        self
    }
}

impl TextEncoder for ClipEncoder {
    fn tokenize(&self, prompt: &str, options: &TextOptions) -> Result<Tokens> {
        let embeddings = options.embeddings.as_deref();
        self.networks
            .iter()
            .map(|Network { kind, .. }| {
                let chunks = chunks_of_prompt(prompt, kind.rules, embeddings)?;
                Ok((kind.rules.embedding_key, chunks))
            })
            .collect()
    }

    fn encode(&self, tokens: &Tokens, options: &TextOptions) -> Result<EncodedText> {
        let encoded = self
            .networks
            .iter()
            .map(|Network { kind, model }| {
                let key = kind.rules.embedding_key;
                let chunks = tokens.iter().find(|(name, _)| *name == key);
                let (_, chunks) = chunks.ok_or_else(|| {
                    Error::input(format!("expected tokens for the text encoder {key}"))
                })?;
                let hidden = HiddenChoice {
                    skipped_layers: options
                        .last_layer
                        .map_or(kind.hidden.skipped_layers, skipped_layers),
                    ..kind.hidden
                };
                let padding = kind.rules.padding;
                encode::encode(&*model.get()?, chunks, padding, hidden, &self.device)
            })
            .collect::<Result<Vec<_>>>()?;
        let tokens = encoded.iter().map(|text| text.cond.dims()[1]).min();
        let tokens = tokens
            .ok_or_else(|| Error::input("expected a text encoder of at least one network"))?;
        let last = encoded.last();
        let pooled = last.and_then(|text| text.pooled.clone());
        let summary = last.and_then(|text| text.summary.clone());
        let conds = encoded
            .into_iter()
            .map(|text| text.cond.narrow(1, 0, tokens))
            .collect();
        Ok(EncodedText {
            cond: Tensor::cat(conds, 2),
            pooled,
            summary,
        })
    }

    fn sources(&self) -> Vec<(&'static str, TensorSource)> {
        let networks = self.networks.iter();
        networks
            .filter_map(|network| {
                let key = network.kind.rules.embedding_key;
                Some((key, network.model.source()?))
            })
            .collect()
    }

    fn merged(&self, other: &dyn TextEncoder, blend: &Blend) -> Arc<dyn TextEncoder> {
        let others = other.sources();
        self.with_networks(|key, model| {
            let (_, source) = others.iter().find(|(name, _)| *name == key)?;
            model.merged(source.clone(), blend.clone())
        })
    }

    fn scaled(&self, factors: &[(String, f64)]) -> Arc<dyn TextEncoder> {
        self.with_networks(|_, model| model.scaled(factors))
    }

    fn changed(&self, changes: &[(&WeightChange, f64)]) -> Result<Arc<dyn TextEncoder>> {
        self.try_with_networks(|key, model| {
            let changes: Vec<_> = changes
                .iter()
                .filter_map(|(change, strength)| Some((change.of_text(key)?, *strength)))
                .collect();
            model.changed(&changes).map(Some)
        })
    }

    fn with_patches(&self, file: &PatchFile, strength: f64) -> Result<Arc<dyn TextEncoder>> {
        self.try_with_networks(|_, model| model.patched(file, strength))
    }
}

impl ClipEncoder {
    /// The same encoder with other networks, by their names; those for which there is none stay.
    fn with_networks(
        &self,
        change: impl Fn(&str, &Resident<ClipTextModel>) -> Option<Resident<ClipTextModel>>,
    ) -> Arc<dyn TextEncoder> {
        let networks = self.networks.iter().map(|network| {
            let changed = change(network.kind.rules.embedding_key, &network.model);
            Network {
                kind: network.kind,
                model: changed.unwrap_or_else(|| network.model.clone()),
            }
        });
        Arc::new(Self {
            networks: networks.collect(),
            device: self.device.clone(),
        })
    }

    /// The same, where the change can fail.
    fn try_with_networks(
        &self,
        change: impl Fn(&str, &Resident<ClipTextModel>) -> Result<Option<Resident<ClipTextModel>>>,
    ) -> Result<Arc<dyn TextEncoder>> {
        let changed = self
            .networks
            .iter()
            .map(|network| {
                let key = network.kind.rules.embedding_key;
                Ok((key, change(key, &network.model)?))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(self.with_networks(|key, _| {
            let own = changed.iter().find(|(name, _)| *name == key);
            own.and_then(|(_, model)| model.clone())
        }))
    }
}

/// How many layers −1, −2, … leave out. Other numbers name no layer, as does one that counts beyond the first: the last layer is
/// taken then.
fn skipped_layers(last_layer: i32) -> usize {
    if last_layer < 0 {
        last_layer.unsigned_abs() as usize - 1
    } else {
        usize::MAX
    }
}
