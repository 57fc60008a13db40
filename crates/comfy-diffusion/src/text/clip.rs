//! A handle to the text encoder of a model.

use std::fmt;
use std::sync::Arc;

use super::embedding::EmbeddingFiles;
use super::encode::EncodedText;
use super::token::Chunk;
use crate::error::Result;
use crate::weights::TensorSource;
use crate::weights::patch::{Blend, PatchFile};

/// The chunks of tokens for each network of a text encoder, by the network's name.
pub type Tokens = Vec<(&'static str, Vec<Chunk>)>;

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
    fn tokenize(&self, prompt: &str, options: &TextOptions) -> Result<Tokens>;

    /// The vectors of a prompt's tokens.
    fn encode(&self, tokens: &Tokens, options: &TextOptions) -> Result<EncodedText>;

    /// The same encoder with the changes of a file of `LoRA` or of one of its relatives.
    fn with_patches(&self, file: &PatchFile, strength: f64) -> Result<Arc<dyn TextEncoder>>;

    /// The tensors of each of its networks, with their changes, by the network's name.
    fn sources(&self) -> Vec<(&'static str, TensorSource)>;

    /// The same encoder, each network blended with that of the same name of another one.
    fn merged(&self, other: &dyn TextEncoder, blend: &Blend) -> Arc<dyn TextEncoder>;
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

    /// The same encoder with the changes of a file of `LoRA` or of one of its relatives, merged into its weights when they are loaded.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn with_patches(&self, file: &PatchFile, strength: f64) -> Result<Self> {
        Ok(Self {
            encoder: self.encoder.with_patches(file, strength)?,
            options: self.options.clone(),
        })
    }

    /// The same encoder, each network blended with that of the same name of another one when its weights are loaded.
    #[must_use]
    pub fn merged(&self, other: &Self, blend: &Blend) -> Self {
        Self {
            encoder: self.encoder.merged(&*other.encoder, blend),
            options: self.options.clone(),
        }
    }

    /// The tensors of each network, with their changes, by the network's name.
    pub fn sources(&self) -> Vec<(&'static str, TensorSource)> {
        self.encoder.sources()
    }

    /// The chunks of tokens for each network, by name.
    pub fn tokenize(&self, prompt: &str) -> Result<Tokens> {
        self.encoder.tokenize(prompt, &self.options)
    }

    /// The vectors of a prompt. Loads the encoder if it is not loaded.
    pub fn encode(&self, prompt: &str) -> Result<EncodedText> {
        self.encoder.encode(&self.tokenize(prompt)?, &self.options)
    }

    /// The vectors of several prompts at once, each for the network of this name; a network that is not named reads nothing. Empty
    /// chunks follow the shorter prompts, so that all are of the same length.
    pub fn encode_each(&self, prompts: &[(&str, &str)]) -> Result<EncodedText> {
        let empty = self.tokenize("")?;
        let mut tokens = empty.clone();
        for (network, prompt) in prompts {
            let own = self.tokenize(prompt)?;
            for (place, (name, chunks)) in tokens.iter_mut().zip(own) {
                if name == *network {
                    place.1 = chunks;
                }
            }
        }
        let longest = tokens.iter().map(|(_, chunks)| chunks.len()).max();
        for ((_, chunks), (_, padding)) in tokens.iter_mut().zip(empty) {
            let missing = longest.unwrap_or_default() - chunks.len();
            let padding = padding.iter().cycle().take(missing);
            chunks.extend(padding.cloned());
        }
        self.encoder.encode(&tokens, &self.options)
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
