//! Regular expressions with the syntax and the meaning of Python's module `re` (3.11 and later), for texts.
//!
//! A library for another dialect would have to be given a translation of every pattern, and would still differ in what a group
//! holds after a loop, where an empty match may follow another, and what `\w` is. So patterns are read, compiled and matched here,
//! by backtracking as Python does it, but with a limit: a pattern that would take ages is an error.
//!
//! Left out: names of characters (`\N{…}`), and locale flags, which Python has for bytes alone.

mod class;
mod escape;
mod matcher;
mod parse;
mod program;
mod template;

use class::Flags;
use matcher::Matcher;
use program::Program;

/// Why a pattern or a replacement cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// The pattern or the replacement is no valid one: what Python calls `re.error`.
    #[error("{message} at position {position}")]
    Syntax {
        /// What was expected.
        message: String,
        /// The index of the character.
        position: usize,
    },
    /// A replacement names a group that the pattern has not got: what Python calls an `IndexError`.
    #[error("expected the name of a group of the pattern, got '{0}'")]
    UnknownGroup(String),
    /// Matching would take too long, or too much memory.
    #[error(
        "the regular expression needs more than {0} steps for this text; a simpler one is needed"
    )]
    TooSlow(u64),
}

impl RegexError {
    fn syntax(message: impl Into<String>, position: usize) -> Self {
        Self::Syntax {
            message: message.into(),
            position,
        }
    }
}

/// What a pattern may do unless its own flags say otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Capital and small letters are the same.
    pub ignore_case: bool,
    /// `^` and `$` match at every line.
    pub multiline: bool,
    /// `.` matches line ends too.
    pub dot_all: bool,
}

/// A compiled pattern.
#[derive(Debug)]
pub struct Regex {
    program: Program,
}

/// The groups of one match; group 0 is all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    groups: Vec<Option<String>>,
    start: usize,
    end: usize,
}

impl Match {
    /// The text of a group; `None` when it took no part in the match or does not exist.
    pub fn group(&self, index: usize) -> Option<&str> {
        self.groups.get(index)?.as_deref()
    }

    /// How many groups there are besides the whole match.
    pub fn groups(&self) -> usize {
        self.groups.len() - 1
    }
}

impl Regex {
    /// Compiles a pattern.
    pub fn new(pattern: &str, options: Options) -> Result<Self, RegexError> {
        let flags = Flags {
            ignore_case: options.ignore_case,
            multiline: options.multiline,
            dot_all: options.dot_all,
            ..Flags::default()
        };
        let parsed = parse::parse(pattern, flags)?;
        Ok(Self {
            program: Program::compile(&parsed)?,
        })
    }

    /// The first match.
    pub fn search(&self, text: &str) -> Result<Option<Match>, RegexError> {
        Ok(self.matches(text, 1)?.pop())
    }

    /// The matches one after the other, at most `count` of them. They do not overlap; an empty one may follow another directly.
    pub fn matches(&self, text: &str, count: usize) -> Result<Vec<Match>, RegexError> {
        let characters: Vec<char> = text.chars().collect();
        self.matches_in(&characters, count)
    }

    fn matches_in(&self, text: &[char], count: usize) -> Result<Vec<Match>, RegexError> {
        let mut matcher = Matcher::new(&self.program, text);
        let mut found = Vec::new();
        let (mut start, mut must_advance) = (0, false);
        while found.len() < count {
            let Some(slots) = matcher.search(start, must_advance)? else {
                break;
            };
            let groups = slots.chunks_exact(2).map(|ends| match *ends {
                [Some(start), Some(end)] => text.get(start..end).map(|part| part.iter().collect()),
                _ => None,
            });
            let (match_start, match_end) = (slots[0].unwrap_or(start), slots[1].unwrap_or(start));
            found.push(Match {
                groups: groups.collect(),
                start: match_start,
                end: match_end,
            });
            must_advance = match_start == match_end;
            start = match_end;
        }
        Ok(found)
    }

    /// The text with the first `count` matches (0: all) replaced. The replacement may name groups, as `\1` or `\g<name>`.
    pub fn replace(
        &self,
        text: &str,
        replacement: &str,
        count: usize,
    ) -> Result<String, RegexError> {
        let template = template::parse(replacement, &self.program)?;
        let characters: Vec<char> = text.chars().collect();
        let count = if count == 0 { usize::MAX } else { count };
        let mut result = String::with_capacity(text.len());
        let mut position = 0;
        for found in self.matches_in(&characters, count)? {
            result.extend(&characters[position..found.start]);
            for part in &template {
                match part {
                    template::Part::Text(text) => result.push_str(text),
                    template::Part::Group(index) => {
                        result.push_str(found.group(*index).unwrap_or_default());
                    }
                }
            }
            position = found.end;
        }
        result.extend(&characters[position..]);
        Ok(result)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
