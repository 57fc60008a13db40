//! Capitals and white space as Python's `str` has them.

/// Python's `upper`.
pub fn upper(text: &str) -> String {
    text.to_uppercase()
}

/// Python's `lower`.
pub fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// Python's `capitalize`: the first character as at the start of a title, the others small.
pub fn capitalise(text: &str) -> String {
    let mut characters = text.chars().zip(small_forms(text));
    let mut result = String::with_capacity(text.len());
    if let Some((first, _)) = characters.next() {
        push_title(&mut result, first);
    }
    for (_, small) in characters {
        result.push_str(&small);
    }
    result
}

/// Python's `title`: every letter that follows no letter begins a word.
pub fn title(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut in_word = false;
    for (character, small) in text.chars().zip(small_forms(text)) {
        if in_word {
            result.push_str(&small);
        } else {
            push_title(&mut result, character);
        }
        in_word = is_cased(character);
    }
    result
}

/// Python's `strip`, on the sides that are wanted.
pub fn strip(text: &str, start: bool, end: bool) -> &str {
    let text = if start {
        text.trim_start_matches(is_space)
    } else {
        text
    };
    if end {
        text.trim_end_matches(is_space)
    } else {
        text
    }
}

/// White space, and the four separators of ASCII.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

/// The small form of each character. A sigma has another one at the end of a word, so the text is looked at as a whole.
fn small_forms(text: &str) -> impl Iterator<Item = String> {
    let small = text.to_lowercase();
    let mut rest = small.chars().collect::<Vec<_>>().into_iter();
    text.chars()
        .map(|character| character.to_lowercase().count())
        .collect::<Vec<_>>()
        .into_iter()
        .map(move |length| rest.by_ref().take(length).collect())
}

fn is_cased(character: char) -> bool {
    character.is_lowercase() || character.is_uppercase() || is_title_letter(character)
}

/// Letters that are a capital and a small one in one character.
fn is_title_letter(character: char) -> bool {
    matches!(
        character,
        'ǅ' | 'ǈ' | 'ǋ' | 'ǲ'
            | '\u{1f88}'..='\u{1f8f}'
            | '\u{1f98}'..='\u{1f9f}'
            | '\u{1fa8}'..='\u{1faf}'
            | '\u{1fbc}'
            | '\u{1fcc}'
            | '\u{1ffc}'
    )
}

/// Adds the form at the start of a title. Where it is not the capital: digraphs, Georgian, which has no capitals in titles, Greek
/// with an iota below, and ligatures, of which only the first letter becomes a capital.
fn push_title(result: &mut String, character: char) {
    let single = match character {
        'Ǆ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǳ' => 'ǲ',
        '\u{10d0}'..='\u{10ff}' => character,
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(u32::from(character) + 8).unwrap_or(character)
        }
        '\u{1fb3}' => '\u{1fbc}',
        '\u{1fc3}' => '\u{1fcc}',
        '\u{1ff3}' => '\u{1ffc}',
        letter if is_title_letter(letter) => letter,
        _ => {
            let mut has_capital = false;
            let is_greek = matches!(character, '\u{1f00}'..='\u{1fff}');
            for capital in character.to_uppercase() {
                match capital {
                    // The iota goes below.
                    'Ι' if has_capital && is_greek => result.push('\u{345}'),
                    capital if has_capital => result.extend(capital.to_lowercase()),
                    capital => result.push(capital),
                }
                has_capital |= capital.is_uppercase();
            }
            return;
        }
    };
    result.push(single);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures from Python 3.11.
    #[test]
    fn letters_change_as_in_python() {
        for (text, capitalised, titled) in [
            ("hello wORLD", "Hello world", "Hello World"),
            ("they're bill's", "They're bill's", "They'Re Bill'S"),
            ("ǆx ﬁn ßa", "ǅx ﬁn ßa", "ǅx Fin Ssa"),
            ("ŉ 1a2b", "ʼN 1a2b", "ʼN 1A2B"),
            ("ΟΔΥΣΣΕΥΣ ΑΣ.", "Οδυσσευς ας.", "Οδυσσευς Ας."),
            ("ᾳβ ᾲ აბ", "ᾼβ ᾲ აბ", "ᾼβ Ὰͅ აბ"),
            ("İI", "İi", "İi"),
            ("", "", ""),
        ] {
            assert_eq!(capitalise(text), capitalised, "{text}");
            assert_eq!(title(text), titled, "{text}");
        }
        assert_eq!(upper("straße ﬁ"), "STRASSE FI");
        assert_eq!(lower("ΑΣ İ"), "ας i̇");
        assert_eq!(strip("\x1c\u{a0} a b\t\u{2003}", true, true), "a b");
        assert_eq!(strip(" a ", true, false), "a ");
        assert_eq!(strip("\u{200b}a ", false, true), "\u{200b}a");
    }
}
