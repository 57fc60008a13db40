//! A handle to the text encoder of a model.

use std::fmt;
use std::sync::Arc;

use super::embedding::EmbeddingFiles;
use super::encode::EncodedText;
use super::hooked::Hooked;
use super::token::Chunk;
use crate::error::Result;
use crate::sampling::{Conditioning, ProgressRange};
use crate::weight_hooks::{WeightChange, WeightHooks};
use crate::weights::TensorSource;
use crate::weights::patch::{Blend, PatchFile};

/// The chunks of tokens for each network of a text encoder, by the network's name.
pub type Tokens = Vec<(&'static str, Vec<Chunk>)>;

/// The text encoder of a model, as one thing, however many networks it consists of. Cheap to clone and to change.
#[derive(Clone)]
pub struct Clip {
    encoder: Arc<dyn TextEncoder>,
    options: TextOptions,
    /// Further changes of its weights, made last.
    hooked: Option<Arc<Hooked>>,
    /// What conditions carry that are made with it.
    for_conditions: WeightHooks,
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

    /// The same encoder with several changes one after the other, each with its strength.
    fn changed(&self, changes: &[(&WeightChange, f64)]) -> Result<Arc<dyn TextEncoder>>;

    /// The same encoder with factors for the tensors whose names end so.
    fn scaled(&self, factors: &[(String, f64)]) -> Arc<dyn TextEncoder>;

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
            hooked: None,
            for_conditions: WeightHooks::default(),
        }
    }

    /// The same handle to another encoder, which the same hooks change.
    fn with_encoder(&self, encoder: Arc<dyn TextEncoder>) -> Self {
        Self {
            encoder,
            hooked: self
                .hooked
                .as_ref()
                .map(|hooked| Arc::new(hooked.renewed())),
            ..self.clone()
        }
    }

    /// The same encoder, whose weights hooks change after all other changes, in the place of hooks that did so before. With `is_scheduled`
    /// each prompt is encoded for every stretch of the way on which their keyframes say something else; without it keyframes do not count.
    /// With `for_conditions` the hooks go along with what is encoded, and change the network too.
    #[must_use]
    pub fn with_hooks(
        &self,
        hooks: &WeightHooks,
        is_scheduled: bool,
        for_conditions: bool,
    ) -> Self {
        Self {
            hooked: Some(Arc::new(Hooked::new(hooks, is_scheduled))),
            for_conditions: if for_conditions {
                hooks.clone()
            } else {
                self.for_conditions.clone()
            },
            ..self.clone()
        }
    }

    /// The same encoder with its attention scaled: what asks, what is asked, what answers, and the result.
    #[must_use]
    pub fn with_attention(&self, [query, key, value, output]: [f64; 4]) -> Self {
        let projections = [
            ("q_proj", query),
            ("k_proj", key),
            ("v_proj", value),
            ("out_proj", output),
        ];
        let endings = projections.iter().flat_map(|(name, factor)| {
            ["weight", "bias"].map(|kind| (format!("self_attn.{name}.{kind}"), *factor))
        });
        self.with_encoder(self.encoder.scaled(&endings.collect::<Vec<_>>()))
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
        Ok(self.with_encoder(self.encoder.with_patches(file, strength)?))
    }

    /// The same encoder, each network blended with that of the same name of another one when its weights are loaded.
    #[must_use]
    pub fn merged(&self, other: &Self, blend: &Blend) -> Self {
        self.with_encoder(self.encoder.merged(&*other.encoder, blend))
    }

    /// The tensors of each network, with their changes, by the network's name.
    pub fn sources(&self) -> Vec<(&'static str, TensorSource)> {
        self.encoder.sources()
    }

    /// The chunks of tokens for each network, by name.
    pub fn tokenize(&self, prompt: &str) -> Result<Tokens> {
        self.encoder.tokenize(prompt, &self.options)
    }

    /// The vectors of a prompt, where hooks are as they are at the beginning. Loads the encoder if it is not loaded.
    pub fn encode(&self, prompt: &str) -> Result<EncodedText> {
        self.encode_tokens(&self.tokenize(prompt)?)
    }

    /// As [`Clip::encode`], for chunks of tokens.
    pub fn encode_tokens(&self, tokens: &Tokens) -> Result<EncodedText> {
        match &self.hooked {
            None => self.encoder.encode(tokens, &self.options),
            Some(hooked) => hooked
                .at_first(&self.encoder)?
                .encode(tokens, &self.options),
        }
    }

    /// The conditions that chunks of tokens make: one, or one for each stretch of the way where hooks are scheduled.
    pub fn conditions(&self, tokens: &Tokens) -> Result<Vec<Conditioning>> {
        let encoders = match &self.hooked {
            Some(hooked) if hooked.is_scheduled => Some(hooked.scheduled(&self.encoder)?),
            _ => None,
        };
        let condition = |text: EncodedText, text_range| Conditioning {
            text_range,
            weight_hooks: self.for_conditions.clone(),
            ..Conditioning::new(text.cond, text.pooled)
        };
        let Some(encoders) = encoders else {
            let text = self.encode_tokens(tokens)?;
            return Ok(vec![condition(text, ProgressRange::ALL)]);
        };
        encoders
            .iter()
            .map(|(range, encoder)| Ok(condition(encoder.encode(tokens, &self.options)?, *range)))
            .collect()
    }

    /// The chunks of several prompts, each for the network of this name; a network that is not named reads nothing. Empty chunks follow
    /// the shorter prompts, so that all are of the same length.
    pub fn tokenize_each(&self, prompts: &[(&str, &str)]) -> Result<Tokens> {
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
        Ok(tokens)
    }
}

impl fmt::Debug for Clip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Clip")
            .field("encoder", &self.encoder)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
