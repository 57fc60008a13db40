//! CLIP's byte-pair vocabulary.
//!
//! 49 408 entries: the 256 bytes, the 256 bytes ending a word, 48 894 merges of two earlier entries, and two marks. The id of a merge
//! is also its rank: merges found earlier in training are applied first (Sennrich et al. 2016, "Neural machine translation of rare
//! words with subword units"; the byte alphabet is GPT-2's).

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::Read;
use std::sync::LazyLock;

use flate2::read::GzDecoder;

/// Ids below this are single bytes: first those within a word, then those that end one.
const BYTES: u32 = 512;
/// Id of the mark that starts a text.
pub(super) const START: u32 = 49406;
/// Id of the mark that ends a text.
pub(super) const END: u32 = 49407;

static MERGES: &[u8] = include_bytes!("data/clip_merges.txt.gz");
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::build);

/// The merges, by the ids of their two parts.
pub(super) struct Vocabulary {
    merges: HashMap<(u32, u32), u32>,
    /// Position of each byte among the single-byte ids.
    byte_ids: [u32; 256],
}

impl Vocabulary {
    /// The vocabulary, unpacked at the first call.
    pub(super) fn get() -> &'static Self {
        &VOCABULARY
    }

    fn build() -> Self {
        let alphabet = alphabet();
        let mut byte_ids = [0; 256];
        let mut ids: HashMap<String, u32> = HashMap::new();
        for (id, &(byte, symbol)) in (0..).zip(&alphabet) {
            byte_ids[usize::from(byte)] = id;
            ids.insert(symbol.to_string(), id);
            ids.insert(format!("{symbol}</w>"), id + 256);
        }
        let mut text = String::new();
        GzDecoder::new(MERGES)
            .read_to_string(&mut text)
            .expect("the merges in the program are intact");
        let mut merges = HashMap::new();
        for (id, line) in (BYTES..).zip(text.lines()) {
            let (left, right) = line.split_once(' ').expect("a merge is two symbols");
            let pair = (ids[left], ids[right]);
            ids.insert(format!("{left}{right}"), id);
            merges.insert(pair, id);
        }
        Self { merges, byte_ids }
    }

    /// Appends the ids of one word to `out`.
    ///
    /// Takes time in proportion to n log n of the word's length, so a megabyte without a blank does no harm.
    pub(super) fn encode(&self, word: &str, out: &mut Vec<u32>) {
        let mut parts: Vec<u32> = word
            .bytes()
            .map(|byte| self.byte_ids[usize::from(byte)])
            .collect();
        let Some(last) = parts.last_mut() else { return };
        *last += 256;
        // A list linked by positions: a merge keeps the left position and drops the right one.
        let count = parts.len();
        let mut next: Vec<usize> = (1..=count).collect();
        let mut previous: Vec<Option<usize>> =
            (0..count).map(|position| position.checked_sub(1)).collect();
        let mut dropped = vec![false; count];
        let mut found = BinaryHeap::new();
        let merge_of = |left: u32, right: u32| self.merges.get(&(left, right)).copied();
        for position in 1..count {
            if let Some(id) = merge_of(parts[position - 1], parts[position]) {
                found.push(Reverse((id, position - 1)));
            }
        }
        // Lowest id first, then leftmost. A merge's own result only takes part in merges of higher ids, so the order is that of
        // applying each merge to the whole word before the next.
        while let Some(Reverse((id, left))) = found.pop() {
            let right = next[left];
            if dropped[left] || right >= count || merge_of(parts[left], parts[right]) != Some(id) {
                continue;
            }
            parts[left] = id;
            dropped[right] = true;
            let after = next[right];
            next[left] = after;
            if after < count {
                previous[after] = Some(left);
                if let Some(id) = merge_of(id, parts[after]) {
                    found.push(Reverse((id, left)));
                }
            }
            if let Some(before) = previous[left]
                && let Some(id) = merge_of(parts[before], id)
            {
                found.push(Reverse((id, before)));
            }
        }
        out.extend(
            parts
                .iter()
                .zip(&dropped)
                .filter(|(_, dropped)| !**dropped)
                .map(|(id, _)| *id),
        );
    }
}

/// The bytes in the order of their ids, each with the printable character that stands for it in the list of merges: itself where it
/// is printable in Latin-1, else the next unused character from 256 on.
fn alphabet() -> Vec<(u8, char)> {
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let all = 0..=u8::MAX;
    let themselves = all
        .clone()
        .filter(printable)
        .map(|byte| (byte, char::from(byte)));
    themselves
        .chain(all.filter(|byte| !printable(byte)).zip('\u{100}'..))
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn encode(word: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        Vocabulary::get().encode(word, &mut ids);
        ids
    }

    /// The plain formulation: apply the lowest merge everywhere, again and again.
    fn encode_slowly(word: &str) -> Vec<u32> {
        let vocabulary = Vocabulary::get();
        let mut parts: Vec<u32> = word
            .bytes()
            .map(|byte| vocabulary.byte_ids[usize::from(byte)])
            .collect();
        *parts.last_mut().unwrap() += 256;
        while let Some(id) = parts
            .windows(2)
            .filter_map(|pair| vocabulary.merges.get(&(pair[0], pair[1])).copied())
            .min()
        {
            let mut merged = Vec::new();
            let mut rest = parts.as_slice();
            while let Some((&first, others)) = rest.split_first() {
                match others.first() {
                    Some(&second) if vocabulary.merges.get(&(first, second)) == Some(&id) => {
                        merged.push(id);
                        rest = &others[1..];
                    }
                    _ => {
                        merged.push(first);
                        rest = others;
                    }
                }
            }
            parts = merged;
        }
        parts
    }

    #[test]
    fn has_all_entries() {
        assert_eq!(Vocabulary::get().merges.len() as u32 + BYTES, START);
    }

    #[test]
    fn knows_common_words() {
        assert_eq!(encode("cat"), [2368]);
        assert_eq!(encode("a"), [320]);
        assert_eq!(encode(""), [0; 0]);
    }

    #[test]
    fn agrees_with_the_plain_formulation() {
        for word in [
            "supercalifragilisticexpialidocious",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "日本語のプロンプト",
            "hahahahahahah",
            "mississippi",
            "😀🐱",
            "b",
        ] {
            assert_eq!(encode(word), encode_slowly(word), "{word}");
        }
    }

    #[test]
    fn a_long_word_takes_no_long_time() {
        assert!(encode(&"ab".repeat(500_000)).len() > 100_000);
    }
}
