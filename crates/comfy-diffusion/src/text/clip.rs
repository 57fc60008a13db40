//! A handle to the text encoder of a model.

use std::fmt;
use std::sync::Arc;

use super::clip_model::{Activation, ClipTextModel, HiddenChoice};
use super::embedding::EmbeddingFiles;
use super::encode::{self, EncodedText};
use super::token::{CLIP_L, Chunk, ChunkRules, chunks_of_prompt};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::residency::Resident;
use crate::weights::Weights;

/// The text encoder of a model, as one thing, however many networks it consists of. Cheap to clone and to change.
#[derive(Clone)]
pub struct Clip {
    encoder: Arc<dyn TextEncoder>,
    options: TextOptions,
}

/// What a user can change about a text encoder.
#[derive(Debug, Clone, Default)]
pub struct TextOptions {
    /// The layer whose output is taken, counted from the end: −1 is the last; `None` is the model's own choice.
    pub last_layer: Option<i32>,
    /// Where embeddings named in prompts are found; without it, `embedding:name` is plain text.
    pub embeddings: Option<Arc<dyn EmbeddingFiles>>,
}

/// The text side of a family of models.
pub trait TextEncoder: fmt::Debug + Send + Sync {
    /// The chunks of tokens for each of its networks, by name.
    fn tokenize(
        &self,
        prompt: &str,
        options: &TextOptions,
    ) -> Result<Vec<(&'static str, Vec<Chunk>)>>;

    /// The vectors of a prompt.
    fn encode(&self, prompt: &str, options: &TextOptions) -> Result<EncodedText>;
}

impl Clip {
    /// A handle to this encoder, with its own choices.
    pub fn new(encoder: Arc<dyn TextEncoder>) -> Self {
        Self {
            encoder,
            options: TextOptions::default(),
        }
    }

    /// The same encoder, stopping at a layer counted from the end: −1 is the last, −2 the one before it ("clip skip 2"). A layer
    /// that does not exist is the last one.
    #[must_use]
    pub fn with_last_layer(&self, last_layer: i32) -> Self {
        let options = TextOptions {
            last_layer: Some(last_layer),
            ..self.options.clone()
        };
        Self {
            options,
            ..self.clone()
        }
    }

    /// The same encoder, with embeddings that prompts can name.
    #[must_use]
    pub fn with_embeddings(&self, files: Arc<dyn EmbeddingFiles>) -> Self {
        let options = TextOptions {
            embeddings: Some(files),
            ..self.options.clone()
        };
        Self {
            options,
            ..self.clone()
        }
    }

    /// The chunks of tokens for each network, by name.
    pub fn tokenize(&self, prompt: &str) -> Result<Vec<(&'static str, Vec<Chunk>)>> {
        self.encoder.tokenize(prompt, &self.options)
    }

    /// The vectors of a prompt. Loads the encoder if it is not loaded.
    pub fn encode(&self, prompt: &str) -> Result<EncodedText> {
        self.encoder.encode(prompt, &self.options)
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Clip")
            .field("encoder", &self.encoder)
            .field("options", &self.options)
            .finish()
    }
}

/// The text side of Stable Diffusion 1: CLIP-L alone, its last layer, normalised.
#[derive(Debug)]
pub struct SingleClip {
    model: Resident<ClipTextModel>,
    rules: ChunkRules,
    device: ComputeDevice,
}

impl SingleClip {
    /// The model at `prefix` of a file, loaded when first used.
    pub fn clip_l(weights: &Arc<Weights>, prefix: &'static str, device: &ComputeDevice) -> Self {
        let (weights, target) = (Arc::clone(weights), device.clone());
        let name = format!("text encoder of {}", weights.path().display());
        let load = move || {
            ClipTextModel::load(&weights, prefix, Activation::QuickGelu, &target).map(Arc::new)
        };
        Self {
            model: Resident::new(device.residency(), name, load),
            rules: CLIP_L,
            device: device.clone(),
        }
    }
}

impl TextEncoder for SingleClip {
    fn tokenize(
        &self,
        prompt: &str,
        options: &TextOptions,
    ) -> Result<Vec<(&'static str, Vec<Chunk>)>> {
        let chunks = chunks_of_prompt(prompt, self.rules, options.embeddings.as_deref())?;
        Ok(vec![(self.rules.embedding_key, chunks)])
    }

    fn encode(&self, prompt: &str, options: &TextOptions) -> Result<EncodedText> {
        let chunks = chunks_of_prompt(prompt, self.rules, options.embeddings.as_deref())?;
        let choice = HiddenChoice {
            skipped_layers: skipped_layers(options.last_layer),
            normalised: true,
        };
        encode::encode(
            &*self.model.get()?,
            &chunks,
            self.rules.padding,
            choice,
            &self.device,
        )
    }
}

/// How many layers −1, −2, … leave out; other numbers leave out none.
fn skipped_layers(last_layer: Option<i32>) -> usize {
    match last_layer {
        Some(layer @ ..=-1) => layer.unsigned_abs() as usize - 1,
        _ => 0,
    }
}
