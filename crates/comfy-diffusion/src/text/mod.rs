//! From a prompt to the vectors that steer a network.
//!
//! A prompt is parsed into weighted segments ([`weighting`]), each is tokenised ([`clip_tokenizer`]) or read from an embedding file
//! ([`embedding`]), the tokens are packed into chunks ([`token`]), a text encoder turns chunks into vectors ([`clip_model`]), and the
//! weights are applied to these. [`Clip`] is the whole of it for one model.

mod clip;
mod clip_encoder;
pub mod clip_model;
pub mod clip_tokenizer;
pub mod embedding;
mod encode;
mod hooked;
pub mod token;
mod vocabulary;
pub mod weighting;

#[cfg(test)]
mod tests;

pub use clip::{Clip, TextEncoder, TextOptions, Tokens};
pub use clip_encoder::{
    CLIP_G_PENULTIMATE, CLIP_H_PENULTIMATE, CLIP_L_LAST, CLIP_L_PENULTIMATE, ClipEncoder, ClipKind,
};
pub use embedding::EmbeddingFiles;
pub use encode::EncodedText;
pub use token::CHUNK_LENGTH;
