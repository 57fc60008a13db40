//! The syntax of weights in a prompt.
//!
//! `(text)` multiplies the weight around it by 1.1, `(text:1.3)` sets it to 1.3 whatever is around it, and both nest. `\(` and `\)`
//! are plain parentheses. What does not balance is plain text.

use crate::error::{Error, Result};

/// The factor of a group without a number.
const EMPHASIS: f64 = 1.1;

/// Groups within groups that are still read.
const MAX_DEPTH: usize = 900;

/// A run of text with one weight.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// The text, escapes resolved.
    pub text: String,
    /// How much it counts; 1 is plain.
    pub weight: f64,
}

/// The weighted runs of a prompt, in order; none for an empty one.
pub fn parse(prompt: &str) -> Result<Vec<Segment>> {
    let mut segments = Vec::new();
    // What is still to be read, last first, each with its depth and the weight around it.
    let mut pending = vec![(prompt, 1.0, 0)];
    while let Some((text, weight, depth)) = pending.pop() {
        if depth > MAX_DEPTH {
            return Err(Error::input(format!(
                "the prompt nests more than {MAX_DEPTH} parentheses"
            )));
        }
        let items = split_groups(text);
        match items.as_slice() {
            // Text that holds no group and is none.
            [item] if group_content(item).is_none() => segments.push(Segment {
                text: unescape(item),
                weight,
            }),
            _ => pending.extend(
                items
                    .into_iter()
                    .rev()
                    .map(|item| match group_content(item) {
                        Some(content) => {
                            let (content, weight) = weigh(content, weight);
                            (content, weight, depth + 1)
                        }
                        None => (item, weight, depth),
                    }),
            ),
        }
    }
    Ok(segments)
}

/// Cuts a text into the groups that stand in it unnested and the runs between them.
///
/// A closing parenthesis too many is counted: it swallows the next opening one.
fn split_groups(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let mut depth = 0_i64;
    let mut start = 0;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' if !escaped => {
                if depth == 0 && start < at {
                    items.push(&text[start..at]);
                    start = at;
                }
                depth += 1;
            }
            b')' if !escaped => {
                depth -= 1;
                if depth == 0 {
                    items.push(&text[start..=at]);
                    start = at + 1;
                }
            }
            _ => {}
        }
        escaped = byte == b'\\';
    }
    if start < text.len() {
        items.push(&text[start..]);
    }
    items
}

/// What is between the parentheses of an item that has them around it.
fn group_content(item: &str) -> Option<&str> {
    let content = item.strip_prefix('(')?.strip_suffix(')')?;
    (!content.ends_with('\\')).then_some(content)
}

/// A group's text and weight, given the weight around it. The number is what follows the last colon, if that is a number.
fn weigh(content: &str, around: f64) -> (&str, f64) {
    match content.rsplit_once(':') {
        Some((text, number)) if !text.is_empty() => match parse_number(number) {
            Some(number) => (text, number),
            None => (content, around * EMPHASIS),
        },
        _ => (content, around * EMPHASIS),
    }
}

/// A number as Python's `float` reads it: blanks around it, underscores between digits.
fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at))
            .is_some_and(u8::is_ascii_digit)
    };
    let well_placed =
        |at: usize| bytes[at] != b'_' || (is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)));
    if !(0..bytes.len()).all(well_placed) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn unescape(text: &str) -> String {
    text.replace("\\)", ")").replace("\\(", "(")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn parsed(prompt: &str) -> Vec<(String, f64)> {
        parse(prompt)
            .unwrap()
            .into_iter()
            .map(|segment| (segment.text, segment.weight))
            .collect()
    }

    fn check(prompt: &str, expected: &[(&str, f64)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|&(text, weight)| (text.to_owned(), weight))
            .collect();
        assert_eq!(parsed(prompt), expected, "{prompt}");
    }

    #[test]
    fn groups_multiply_and_numbers_set() {
        check("", &[]);
        check("()", &[]);
        check("a (b) c", &[("a ", 1.0), ("b", 1.1), (" c", 1.0)]);
        check("((a))", &[("a", 1.1 * 1.1)]);
        check("(a (b:1.5) c:1.2)", &[("a ", 1.2), ("b", 1.5), (" c", 1.2)]);
        check("((a):2)", &[("a", 2.0 * 1.1)]);
        check("((a:0.5) b:3)", &[("a", 0.5), (" b", 3.0)]);
    }

    #[test]
    fn only_a_number_after_the_last_colon_is_a_weight() {
        check("(bad:weight)", &[("bad:weight", 1.1)]);
        check("(a:1.3:1.5)", &[("a:1.3", 1.5)]);
        check("(x:)", &[("x:", 1.1)]);
        check("(:1.5)", &[(":1.5", 1.1)]);
        check("(:)", &[(":", 1.1)]);
        check("(a: 1.4 )", &[("a", 1.4)]);
        check("(a:1_0)", &[("a", 10.0)]);
        check(
            "(a:1__0)(b:_1)(c:+.5)(d:-1e-1)",
            &[("a:1__0", 1.1), ("b:_1", 1.1), ("c", 0.5), ("d", -0.1)],
        );
    }

    #[test]
    fn what_does_not_balance_is_text() {
        check("a (b", &[("a ", 1.0), ("(b", 1.0)]);
        check("a) (b:2) c", &[("a) (b:2) c", 1.0)]);
        check("a) ((b:2) c", &[("a) (", 1.0), ("b", 2.0), (" c", 1.0)]);
        // An open group that happens to end in a parenthesis loses its outer pair all the same.
        check("((a)", &[("(a", 1.1)]);
    }

    #[test]
    fn escaped_parentheses_are_text() {
        check(r"\(a\) (b\):2)", &[("(a) ", 1.0), ("b)", 2.0)]);
        check(r"(a\)", &[("(a)", 1.0)]);
        check(r"\\(a)", &[(r"\(a)", 1.0)]);
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = |levels: usize| format!("{}x{}", "(".repeat(levels), ")".repeat(levels));
        assert_eq!(parsed(&deep(800)).len(), 1);
        assert!(parse(&deep(20_000)).is_err());
    }
}
