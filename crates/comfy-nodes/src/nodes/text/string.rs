//! Nodes on texts.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::{SomeBoolean, SomeText};
use crate::planes::python_slice;
use crate::text::case;

/// Puts two texts together.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringConcatenate",
    name = "Concatenate",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringConcatenate {
    /// The first text.
    #[input(multiline)]
    string_a: String,
    /// The second text.
    #[input(multiline)]
    string_b: String,
    /// What stands between them.
    #[input(multiline = false, default = "")]
    delimiter: String,
}

impl Node for StringConcatenate {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        Ok([self.string_a, self.string_b].join(&self.delimiter).into())
    }
}

/// Takes a part of a text.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringSubstring",
    name = "Substring",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringSubstring {
    /// The text.
    #[input(multiline)]
    string: String,
    /// The first character to take; the first of all is 0. Below zero it counts from the end.
    start: i64,
    /// The character before which to stop. Below zero it counts from the end.
    end: i64,
}

impl Node for StringSubstring {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        let length = self.string.chars().count();
        let part = python_slice(self.start, self.end, length);
        let characters = self.string.chars().skip(part.start).take(part.len());
        Ok(characters.collect::<String>().into())
    }
}

/// Counts the characters of a text.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringLength",
    name = "Length",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringLength {
    /// The text.
    #[input(multiline)]
    string: String,
}

/// The result of [`StringLength`].
#[derive(Debug, Outputs)]
pub struct Length {
    /// How many characters the text has.
    length: i64,
}

impl Node for StringLength {
    type Output = Length;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Length, NodeError> {
        Ok(Length {
            length: self.string.chars().count() as i64,
        })
    }
}

/// How to write the letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum CaseMode {
    /// All large.
    #[choice("UPPERCASE")]
    Upper,
    /// All small.
    #[choice("lowercase")]
    Lower,
    /// The first large, all others small.
    #[choice("Capitalize")]
    Capitalise,
    /// The first of every word large, all others small.
    #[choice("Title Case")]
    Title,
}

/// Writes a text in large or small letters.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CaseConverter",
    name = "Case Converter",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct CaseConverter {
    /// The text.
    #[input(multiline)]
    string: String,
    /// Which letters are large.
    mode: CaseMode,
}

impl Node for CaseConverter {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        let convert = match self.mode {
            CaseMode::Upper => case::upper,
            CaseMode::Lower => case::lower,
            CaseMode::Capitalise => case::capitalise,
            CaseMode::Title => case::title,
        };
        Ok(convert(&self.string).into())
    }
}

/// Where to remove white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum TrimMode {
    /// At the start and at the end.
    #[choice("Both")]
    Both,
    /// At the start.
    #[choice("Left")]
    Left,
    /// At the end.
    #[choice("Right")]
    Right,
}

/// Removes white space around a text.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringTrim",
    name = "Trim",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringTrim {
    /// The text.
    #[input(multiline)]
    string: String,
    /// On which sides it is removed.
    mode: TrimMode,
}

impl Node for StringTrim {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        let (start, end) = (self.mode != TrimMode::Right, self.mode != TrimMode::Left);
        Ok(case::strip(&self.string, start, end).to_owned().into())
    }
}

/// Replaces a part of a text wherever it appears.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringReplace",
    name = "Replace",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringReplace {
    /// The text.
    #[input(multiline)]
    string: String,
    /// What to look for. Nothing is found between all characters.
    #[input(multiline)]
    find: String,
    /// What to write instead.
    #[input(multiline)]
    replace: String,
}

impl Node for StringReplace {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        let places = self.string.matches(self.find.as_str()).count();
        let length = places
            .checked_mul(self.replace.len())
            .and_then(|length| length.checked_add(self.string.len()));
        let mut room = String::new();
        if length.is_none_or(|length| room.try_reserve(length).is_err()) {
            return Err(NodeError::OutOfMemory(format!(
                "cannot hold a text with {places} replacements of {} bytes",
                self.replace.len()
            )));
        }
        drop(room);
        Ok(self.string.replace(&self.find, &self.replace).into())
    }
}

/// Tells whether a text contains another one.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringContains",
    name = "Contains",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringContains {
    /// The text to look in.
    #[input(multiline)]
    string: String,
    /// The text to look for.
    #[input(multiline)]
    substring: String,
    /// Whether large and small letters differ.
    #[input(default = true)]
    case_sensitive: bool,
}

/// The result of [`StringContains`].
#[derive(Debug, Outputs)]
pub struct Contains {
    /// Whether it is there.
    contains: bool,
}

impl Node for StringContains {
    type Output = Contains;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Contains, NodeError> {
        let contains = if self.case_sensitive {
            self.string.contains(&self.substring)
        } else {
            case::lower(&self.string).contains(&case::lower(&self.substring))
        };
        Ok(Contains { contains })
    }
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum CompareMode {
    /// Whether the first begins with the second.
    #[choice("Starts With")]
    StartsWith,
    /// Whether the first ends with the second.
    #[choice("Ends With")]
    EndsWith,
    /// Whether they are the same.
    #[choice("Equal")]
    Equal,
}

/// Compares two texts.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StringCompare",
    name = "Compare",
    category = "utils/string",
    module = "comfy_extras.nodes_string",
    v3
)]
pub struct StringCompare {
    /// The first text.
    #[input(multiline)]
    string_a: String,
    /// The second text.
    #[input(multiline)]
    string_b: String,
    /// Whether the first begins with the second, ends with it, or is the same.
    mode: CompareMode,
    /// Whether large and small letters differ.
    #[input(default = true)]
    case_sensitive: bool,
}

impl Node for StringCompare {
    type Output = SomeBoolean;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeBoolean, NodeError> {
        let (mut a, mut b) = (self.string_a, self.string_b);
        if !self.case_sensitive {
            (a, b) = (case::lower(&a), case::lower(&b));
        }
        let value = match self.mode {
            CompareMode::StartsWith => a.starts_with(&b),
            CompareMode::EndsWith => a.ends_with(&b),
            CompareMode::Equal => a == b,
        };
        Ok(SomeBoolean { value })
    }
}
