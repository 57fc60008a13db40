//! Text to ids of CLIP's vocabulary.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;

use super::vocabulary::{END, START, Vocabulary};

/// The marks that may stand in a text as such, with their ids.
const MARKS: [(&str, u32); 2] = [("<|startoftext|>", START), ("<|endoftext|>", END)];

/// A word: a mark, an English contraction's ending, letters, one digit, or anything else but blanks (CLIP's `simple_tokenizer.py`).
static WORD: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"<\|startoftext\|>|<\|endoftext\|>|(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+",
    )
});

/// Characters that are dropped: controls, formats, private and unassigned ones, but not the blanks among them.
static DROPPED: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{C}--[\t\n\r]]|\u{FFFD}"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is valid")
}

/// The ids of a text, without marks around it.
pub fn tokenize(text: &str) -> Vec<u32> {
    let mut ids = Vec::new();
    let mut rest = text;
    // Exactly written marks are taken out before the text is cleaned.
    while let Some((at, mark, id)) = MARKS
        .iter()
        .filter_map(|&(mark, id)| rest.find(mark).map(|at| (at, mark, id)))
        .min()
    {
        encode_plain(&rest[..at], &mut ids);
        ids.push(id);
        rest = &rest[at + mark.len()..];
    }
    encode_plain(rest, &mut ids);
    ids
}

fn encode_plain(text: &str, ids: &mut Vec<u32>) {
    let vocabulary = Vocabulary::get();
    let text = clean(text);
    for word in WORD.find_iter(&text) {
        let word = word.as_str();
        match MARKS.iter().find(|(mark, _)| *mark == word) {
            Some((_, id)) => ids.push(*id),
            None => vocabulary.encode(word, ids),
        }
    }
}

/// Lower case, composed, words one blank apart, Chinese characters each a word of their own.
///
/// This is the cleaning of Hugging Face's `CLIPTokenizer` where the package `ftfy` is absent (its BERT-like fall-back, which keeps
/// accents and leaves punctuation in place). With `ftfy` other texts than these would come out of some mis-encoded inputs.
fn clean(text: &str) -> String {
    let kept = DROPPED.replace_all(text, "");
    let mut spaced = String::with_capacity(kept.len());
    for character in kept.chars() {
        if is_chinese(character) {
            spaced.extend([' ', character, ' ']);
        } else {
            spaced.push(character);
        }
    }
    let composed: String = spaced.nfc().collect();
    // Word by word: a capital sigma becomes another letter at the end of a word.
    let words: Vec<String> = composed.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// The blocks of CJK ideographs that BERT's tokenizer separates; kana and hangul are not among them.
fn is_chinese(character: char) -> bool {
    matches!(
        character,
        '\u{4E00}'..='\u{9FFF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{20000}'..='\u{2A6DF}'
            | '\u{2A700}'..='\u{2B73F}'
            | '\u{2B740}'..='\u{2B81F}'
            | '\u{2B820}'..='\u{2CEAF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{2F800}'..='\u{2FA1F}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_blanks_controls_and_case() {
        assert_eq!(
            clean("\u{200b}Zero\u{a0} WIDTH\r\n\tx\u{0}\u{FFFD}"),
            "zero width x"
        );
        assert_eq!(clean("日本語のプロンプト"), "日 本 語 のプロンプト");
        assert_eq!(clean("cafe\u{301}"), "café");
        assert_eq!(clean("ΟΔΟΣ Σ"), "οδος σ");
    }

    #[test]
    fn marks_count_in_any_case_but_split_only_as_written() {
        assert_eq!(tokenize("<|startoftext|>a<|endoftext|>"), [START, 320, END]);
        assert_eq!(tokenize("<|ENDOFTEXT|>"), [END]);
    }

    #[test]
    fn contractions_end_words() {
        assert_eq!(tokenize("it's"), [tokenize("it"), tokenize("'s")].concat());
        assert_eq!(tokenize("12"), [tokenize("1"), tokenize("2")].concat());
    }
}
