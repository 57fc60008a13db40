//! Tokens of a prompt, and the chunks of fixed length that text encoders take.

use std::sync::Arc;

use super::clip_tokenizer::tokenize;
use super::embedding::{self, EmbeddingFiles};
use super::vocabulary::{END, START};
use super::weighting;
use crate::error::{Error, Result};

/// Tokens in a chunk, marks included.
pub const CHUNK_LENGTH: usize = 77;

/// A group shorter than this is not cut at the end of a chunk but moved to the next one.
const UNCUT_LENGTH: usize = 8;

/// Chunks that a prompt may take; it is the length of a short novel.
const MAX_CHUNKS: usize = 1024;

/// What stands in one place of a chunk.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// An entry of the vocabulary.
    Id(u32),
    /// A vector of an embedding file, taken in place of an entry's.
    Vector(Arc<[f32]>),
}

/// A token and how much it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedToken {
    /// The token.
    pub token: Token,
    /// How much it counts; 1 is plain.
    pub weight: f64,
    /// The part of the prompt that it comes from, from 1: what is weighted apart, or an embedding. 0 is for marks and padding.
    pub part: usize,
}

impl WeightedToken {
    fn plain(id: u32) -> Self {
        Self {
            token: Token::Id(id),
            weight: 1.0,
            part: 0,
        }
    }
}

/// [`CHUNK_LENGTH`] tokens: the start mark, up to 75 of the prompt, the end mark, padding.
pub type Chunk = Vec<WeightedToken>;

/// How a text encoder wants its prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRules {
    /// The id that fills a chunk behind the end mark.
    pub padding: u32,
    /// The encoder's name, also for its vectors in embedding files made for several encoders.
    pub embedding_key: &'static str,
}

/// CLIP-L, alone in SD1 and beside others later.
pub const CLIP_L: ChunkRules = ChunkRules {
    padding: END,
    embedding_key: "clip_l",
};

/// OpenCLIP's bigG.
pub const CLIP_G: ChunkRules = ChunkRules {
    padding: 0,
    embedding_key: "clip_g",
};

/// OpenCLIP's H.
pub const CLIP_H: ChunkRules = ChunkRules {
    padding: 0,
    embedding_key: "clip_h",
};

/// The chunks of a prompt; at least one.
///
/// Without `embeddings`, `embedding:name` is plain text.
pub fn chunks_of_prompt(
    prompt: &str,
    rules: ChunkRules,
    embeddings: Option<&dyn EmbeddingFiles>,
) -> Result<Vec<Chunk>> {
    let mut packer = Packer::new(rules.padding);
    for segment in weighting::parse(prompt)? {
        for piece in embedding::split(&segment.text) {
            let mut text = piece.to_owned();
            if let (Some(reference), Some(files)) = (embedding::reference(piece), embeddings) {
                let (vectors, following) =
                    embedding::resolve(reference, files, rules.embedding_key);
                if !vectors.is_empty() {
                    packer.add(vectors, segment.weight)?;
                }
                if following.is_empty() {
                    continue;
                }
                text = following;
            }
            packer.add(
                tokenize(&text).into_iter().map(Token::Id).collect(),
                segment.weight,
            )?;
        }
    }
    Ok(packer.finish())
}

/// The chunk of an empty prompt.
pub fn empty_chunk(padding: u32) -> Chunk {
    Packer::new(padding).close_last()
}

/// Fills chunks, group after group.
struct Packer {
    padding: u32,
    full: Vec<Chunk>,
    /// Starts with the start mark, and has room for the end mark.
    open: Chunk,
    /// How many parts there were.
    parts: usize,
}

impl Packer {
    fn new(padding: u32) -> Self {
        Self {
            padding,
            full: Vec::new(),
            open: vec![WeightedToken::plain(START)],
            parts: 0,
        }
    }

    fn room(&self) -> usize {
        CHUNK_LENGTH - 1 - self.open.len()
    }

    /// Adds the tokens of one piece of text or one embedding.
    fn add(&mut self, tokens: Vec<Token>, weight: f64) -> Result<()> {
        let is_cut = tokens.len() >= UNCUT_LENGTH;
        self.parts += 1;
        let part = self.parts;
        let mut tokens = tokens.into_iter().map(|token| WeightedToken {
            token,
            weight,
            part,
        });
        while tokens.len() > 0 {
            if tokens.len() <= self.room() {
                self.open.extend(tokens);
                return Ok(());
            }
            if is_cut {
                let room = self.room();
                self.open.extend(tokens.by_ref().take(room));
            }
            if self.full.len() + 1 >= MAX_CHUNKS {
                return Err(Error::input(format!(
                    "the prompt takes more than {MAX_CHUNKS} chunks of {CHUNK_LENGTH} tokens"
                )));
            }
            let closed = self.close_last();
            self.full.push(closed);
        }
        Ok(())
    }

    /// Takes the open chunk, ended and padded, and opens a new one.
    fn close_last(&mut self) -> Chunk {
        let mut chunk = std::mem::replace(&mut self.open, vec![WeightedToken::plain(START)]);
        chunk.push(WeightedToken::plain(END));
        chunk.resize(CHUNK_LENGTH, WeightedToken::plain(self.padding));
        chunk
    }

    fn finish(mut self) -> Vec<Chunk> {
        let last = self.close_last();
        self.full.push(last);
        self.full
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn lengths(prompt: &str) -> Vec<usize> {
        let is_text = |token: &&WeightedToken| !matches!(token.token, Token::Id(START | END));
        chunks_of_prompt(prompt, CLIP_L, None)
            .unwrap()
            .iter()
            .map(|chunk| chunk.iter().filter(is_text).count())
            .collect()
    }

    #[test]
    fn an_empty_prompt_is_one_empty_chunk() {
        let chunks = chunks_of_prompt(
            "",
            ChunkRules {
                padding: 0,
                ..CLIP_L
            },
            None,
        )
        .unwrap();
        assert_eq!(chunks, [empty_chunk(0)]);
        assert_eq!(chunks[0].len(), CHUNK_LENGTH);
        assert_eq!(chunks[0][1], WeightedToken::plain(END));
        assert_eq!(chunks[0][76], WeightedToken::plain(0));
    }

    #[test]
    fn long_groups_are_cut_and_short_ones_move_on() {
        assert_eq!(lengths(&"a ".repeat(75)), [75]);
        assert_eq!(lengths(&"a ".repeat(76)), [75, 1]);
        assert_eq!(lengths(&format!("{}(b b b:2)", "a ".repeat(74))), [74, 3]);
        assert_eq!(
            lengths(&format!("{}({}:2)", "a ".repeat(74), "b ".repeat(8))),
            [75, 7]
        );
        // No chunk without text follows a full one, but a full one may come before a long group's start.
        assert_eq!(
            lengths(&format!("{}({}:2)", "a ".repeat(75), "b ".repeat(8))),
            [75, 8]
        );
    }

    #[test]
    fn a_prompt_beyond_all_measure_is_an_error() {
        assert!(chunks_of_prompt(&"a ".repeat(80_000), CLIP_L, None).is_err());
    }
}
