//! Textual inversion: learned vectors that stand for tokens, named in the prompt as `embedding:name`
//! (Gal et al. 2022, "An image is worth one word").

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::token::Token;
use crate::error::{Error, Result};
use crate::weights::Weights;

/// What introduces a name in a prompt.
const MARKER: &str = "embedding:";

/// Values of an embedding file's tensor that are read; a usual one has a few thousand.
const MAX_VALUES: usize = 1 << 24;

/// Finds the file of an embedding by the name a prompt gives it.
///
/// Names come from users: an implementation looks below its own directories only, tries the name as it is and with the extensions it
/// knows, and answers `None` for all else.
pub trait EmbeddingFiles: Debug + Send + Sync {
    /// The file of this name.
    fn find(&self, name: &str) -> Option<PathBuf>;
}

/// Splits a segment where embeddings begin: after a blank or a line's end, which is dropped.
pub(super) fn split(segment: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(segment);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text
            .match_indices(MARKER)
            .map(|(at, _)| at)
            .find(|&at| text[..at].ends_with([' ', '\n']));
        rest = end.map(|end| &text[end..]);
        Some(end.map_or(text, |end| &text[..end - 1]))
    })
    .filter(|piece| !piece.is_empty())
}

/// What follows the marker of a piece that starts with it.
pub(super) fn reference(piece: &str) -> Option<&str> {
    piece.strip_prefix(MARKER)
}

/// The tokens of an embedding, and the text that follows its name.
///
/// `key` names the tensor of this text encoder in files made for several. A missing or unreadable file is logged and gives no token,
/// so that a prompt still works where an embedding is not installed.
pub(super) fn resolve(
    reference: &str,
    files: &dyn EmbeddingFiles,
    key: &str,
) -> (Vec<Token>, String) {
    let mut words = reference.split_whitespace();
    let name = words.next().unwrap_or_default();
    let mut following = words.collect::<Vec<_>>().join(" ");
    let mut file = files.find(name);
    let bare = name.trim_matches(',');
    if file.is_none() && bare.len() < name.len() {
        file = files.find(bare);
        // The commas are text. They are counted off the name's end, wherever they stood.
        let commas: String = name.chars().skip(bare.chars().count()).collect();
        following = format!("{commas} {following}");
    }
    let tokens = if let Some(path) = file {
        read(&path, key).unwrap_or_else(|error| {
            tracing::warn!(%error, "embedding `{bare}` cannot be read and is left out of the prompt");
            Vec::new()
        })
    } else {
        tracing::warn!("embedding `{bare}` does not exist and is left out of the prompt");
        Vec::new()
    };
    (tokens, following)
}

/// What the names of tensors in the files of the first training programs begin with.
const OF_STRINGS: &str = "string_to_param.";

/// The vectors of an embedding file, one token each: the tensor called `key` if there is one, else that of the first training programs,
/// else the first by name.
fn read(path: &Path, key: &str) -> Result<Vec<Token>> {
    let weights = Weights::open(path)?;
    let root = weights.root();
    let name = if weights.contains(key) {
        Some(key)
    } else {
        weights
            .names(OF_STRINGS)
            .next()
            .or(weights.names("").next())
    };
    let name = name.unwrap_or("emb_params");
    let shape = root.shape(name)?;
    let width = match shape {
        [width] | [_, width] if *width > 0 && shape.iter().product::<usize>() <= MAX_VALUES => {
            *width
        }
        _ => return Err(root.shape_error(name, "[vectors, width] of a textual inversion", shape)),
    };
    let values = root.values(name)?;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        return Err(Error::input(format!(
            "{} holds the value {value}",
            path.display()
        )));
    }
    Ok(values
        .chunks_exact(width)
        .map(|row| Token::Vector(Arc::from(row)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct NoFiles;

    impl EmbeddingFiles for NoFiles {
        fn find(&self, _: &str) -> Option<PathBuf> {
            None
        }
    }

    #[test]
    fn pickled_embeddings_are_read() {
        let path = comfy_fixtures::path("pickles/embedding.pt");
        let tokens = read(&path, "clip_l").expect("PyTorch wrote it");
        assert_eq!(
            tokens,
            [
                Token::Vector([1.0; 3].into()),
                Token::Vector([1.0; 3].into())
            ]
        );
    }

    #[test]
    fn embeddings_begin_after_blanks_and_line_ends_only() {
        let pieces = |text| split(text).collect::<Vec<_>>();
        assert_eq!(
            pieces("a embedding:x b\nembedding:y"),
            ["a", "embedding:x b", "embedding:y"]
        );
        assert_eq!(
            pieces("embedding:x,embedding:y"),
            ["embedding:x,embedding:y"]
        );
        assert_eq!(pieces("noembedding:x"), ["noembedding:x"]);
        assert_eq!(pieces(" embedding:x"), ["embedding:x"]);
        assert_eq!(pieces(""), [""; 0]);
    }

    #[test]
    fn a_missing_embedding_leaves_the_words_after_it() {
        let following = |text| resolve(text, &NoFiles, "clip_l").1;
        assert_eq!(following("missing two  words"), "two words");
        assert_eq!(following("missing, rest"), ", rest");
        assert_eq!(following("missing,,"), ",, ");
        assert_eq!(following(""), "");
    }
}
