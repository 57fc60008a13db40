//! Classes of characters, and letters that are the same but for their case.

use std::collections::HashMap;
use std::sync::OnceLock;

/// The flags in force at a place of a pattern.
#[expect(
    clippy::struct_excessive_bools,
    reason = "Python has these flags, each by itself"
)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) multiline: bool,
    pub(super) dot_all: bool,
    pub(super) ascii: bool,
    pub(super) verbose: bool,
}

/// What `\d`, `\s` and `\w` stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Digit,
    Space,
    Word,
}

impl Category {
    pub(super) fn contains(self, character: char, ascii: bool) -> bool {
        if character.is_ascii() {
            return match self {
                Self::Digit => character.is_ascii_digit(),
                Self::Space => {
                    matches!(character, ' ' | '\t'..='\r') || (!ascii && is_separator(character))
                }
                Self::Word => character.is_ascii_alphanumeric() || character == '_',
            };
        }
        if ascii {
            return false;
        }
        match self {
            Self::Digit => in_property(character, r"^\p{Nd}$", &DIGITS),
            Self::Space => character.is_whitespace(),
            Self::Word => in_property(character, r"^[\p{L}\p{N}]$", &LETTERS),
        }
    }
}

/// The four separators of ASCII, which Unicode does not call white space, but Python does.
fn is_separator(character: char) -> bool {
    matches!(character, '\x1c'..='\x1f')
}

static DIGITS: OnceLock<regex::Regex> = OnceLock::new();
static LETTERS: OnceLock<regex::Regex> = OnceLock::new();

fn in_property(character: char, pattern: &str, compiled: &OnceLock<regex::Regex>) -> bool {
    let compiled =
        compiled.get_or_init(|| regex::Regex::new(pattern).expect("the pattern is valid"));
    compiled.is_match(character.encode_utf8(&mut [0; 4]))
}

/// A member of a set in brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Range(char, char),
    Category(Category, bool),
}

/// A set of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) members: Vec<Member>,
    pub(super) negated: bool,
    pub(super) ignore_case: bool,
    pub(super) ascii: bool,
}

impl Set {
    pub(super) fn contains(&self, character: char) -> bool {
        let found = self.has_member(character)
            || (self.ignore_case
                && variants(character)
                    .iter()
                    .any(|&variant| self.has_member(variant)));
        found != self.negated
    }

    fn has_member(&self, character: char) -> bool {
        self.members.iter().any(|member| match *member {
            Member::Range(first, last) => (first..=last).contains(&character),
            Member::Category(category, negated) => {
                category.contains(character, self.ascii) != negated
            }
        })
    }
}

/// Whether two characters differ in their case at most.
pub(super) fn same_letter(left: char, right: char) -> bool {
    left == right || fold(left) == fold(right)
}

/// The capital form of the small form. Letters with equal ones are the same.
fn fold(character: char) -> [char; 3] {
    if character.is_ascii() {
        return [character.to_ascii_uppercase(), '\0', '\0'];
    }
    let small = character.to_lowercase().next().unwrap_or(character);
    let mut folded = ['\0'; 3];
    for (slot, capital) in folded.iter_mut().zip(small.to_uppercase()) {
        *slot = capital;
    }
    folded
}

/// All characters that are the same letter.
fn variants(character: char) -> &'static [char] {
    /// Beyond this no letter has a case.
    const LAST: u32 = 0x1_ffff;
    static CLASSES: OnceLock<HashMap<[char; 3], Vec<char>>> = OnceLock::new();
    let classes = CLASSES.get_or_init(|| {
        let mut classes: HashMap<_, Vec<char>> = HashMap::new();
        for character in (0..=LAST).filter_map(char::from_u32) {
            let folded = fold(character);
            if folded != [character, '\0', '\0'] {
                let class = classes.entry(folded).or_default();
                if class.is_empty() && folded[1] == '\0' {
                    class.push(folded[0]);
                }
                class.push(character);
            }
        }
        classes
    });
    classes
        .get(&fold(character))
        .map_or(&[], |class| class.as_slice())
}
