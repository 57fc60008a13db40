//! What the front end does to texts when it queues a prompt.

use crate::Json;
use std::fmt::Write as _;

/// How deep choices may lie in each other.
const MAX_DEPTH: usize = 200;

/// A date and time of day where the user is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LocalTime {
    /// The year.
    pub year: i32,
    /// The month, from 1.
    pub month: u32,
    /// The day of the month, from 1.
    pub day: u32,
    /// The hour, 0 to 23.
    pub hour: u32,
    /// The minute.
    pub minute: u32,
    /// The second.
    pub second: u32,
}

/// Finds values that texts name.
pub(super) trait Named {
    /// The value of a widget as text, by the name of its node and its own.
    fn widget(&self, node: &str, widget: &str) -> Option<String>;
}

/// More choices inside each other than the number given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooDeep(pub(super) usize);

/// A dynamic prompt with its comments taken out and one part of each `{a|b}` chosen.
///
/// `\{`, `\}` and `\|` stand for the characters themselves.
pub(super) fn choose(
    text: &str,
    choose: &mut dyn FnMut(usize) -> usize,
) -> Result<String, TooDeep> {
    let mut levels = vec![Level::new(text)];
    loop {
        let depth = levels.len();
        let level = levels.last_mut().expect("the last level ends the loop");
        match level.rest.next() {
            Some('\\') => {
                level.written.push('\\');
                level.written.extend(level.rest.next());
            }
            Some('{') => {
                if depth > MAX_DEPTH {
                    return Err(TooDeep(MAX_DEPTH));
                }
                let mut parts = parts(&mut level.rest);
                let index = choose(parts.len()).min(parts.len() - 1);
                // What was chosen may hold further choices.
                levels.push(Level::new(&parts.swap_remove(index)));
            }
            Some(other) => level.written.push(other),
            None => {
                let written = unescaped(&level.written);
                levels.pop();
                match levels.last_mut() {
                    Some(around) => around.written.push_str(&written),
                    None => return Ok(written),
                }
            }
        }
    }
}

/// A text that is being read.
struct Level {
    rest: std::vec::IntoIter<char>,
    written: String,
}

impl Level {
    fn new(text: &str) -> Self {
        let characters: Vec<char> = without_comments(text).chars().collect();
        Self {
            rest: characters.into_iter(),
            written: String::new(),
        }
    }
}

/// The parts of a choice up to the brace that ends it; there is at least one.
fn parts(rest: &mut std::vec::IntoIter<char>) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    while let Some(character) = rest.next() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '|' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        let part = parts.last_mut().expect("there is at least one");
        part.push(character);
        if character == '\\' {
            part.extend(rest.next());
        }
    }
    parts
}

/// Without `/*…*/` and `//…`; a comment that does not end is none.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('/') {
        let (before, comment) = rest.split_at(start);
        kept.push_str(before);
        let block = comment
            .strip_prefix("/*")
            .and_then(|inside| inside.find("*/"));
        rest = if let Some(end) = block {
            &comment[end + 4..]
        } else if comment.starts_with("//") {
            let end = comment.find(['\n', '\r', '\u{2028}', '\u{2029}']);
            &comment[end.unwrap_or(comment.len())..]
        } else {
            kept.push('/');
            &comment[1..]
        };
    }
    kept.push_str(rest);
    kept
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        if character == '\\' && matches!(rest.peek(), Some('{' | '}' | '|')) {
            continue;
        }
        plain.push(character);
    }
    plain
}

/// A text with `%date:…%` and `%node.widget%` replaced; other `%…%` are left to the server.
pub(super) fn replace(text: &str, named: &dyn Named, now: &LocalTime) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('%') {
        replaced.push_str(&rest[..start]);
        let inside = &rest[start + 1..];
        let Some(end) = inside.find('%') else {
            rest = &rest[start..];
            break;
        };
        if end == 0 {
            // Nothing between two signs: the second may begin something.
            replaced.push('%');
            rest = inside;
            continue;
        }
        let pattern = &inside[..end];
        match value(pattern, named, now) {
            Some(value) => replaced.push_str(&value),
            None => replaced.push_str(&rest[start..start + end + 2]),
        }
        rest = &inside[end + 1..];
    }
    replaced.push_str(rest);
    replaced
}

fn value(pattern: &str, named: &dyn Named, now: &LocalTime) -> Option<String> {
    let parts: Vec<&str> = pattern.split('.').collect();
    let [node, widget] = parts.as_slice() else {
        return parts[0]
            .strip_prefix("date:")
            .map(|format| date(format, now));
    };
    let illegal = |character: char| {
        matches!(
            character,
            '/' | '?' | '<' | '>' | '\\' | ':' | '*' | '|' | '"'
        ) || character.is_ascii_control()
    };
    Some(named.widget(node, widget)?.replace(illegal, "_"))
}

/// A date in a format of `yyyy`, `yy`, `M`, `d`, `h`, `m` and `s`, of which all but the years may be doubled.
fn date(format: &str, now: &LocalTime) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let repeated = rest.chars().take_while(|other| *other == first).count();
        let (number, most) = match first {
            'd' => (now.day, 2),
            'M' => (now.month, 2),
            'h' => (now.hour, 2),
            'm' => (now.minute, 2),
            's' => (now.second, 2),
            'y' => (0, 4),
            _ => (0, 1),
        };
        let length = repeated.min(most);
        let token = &rest[..first.len_utf8() * length];
        rest = &rest[token.len()..];
        let _ = match (first, length) {
            ('y', 4) => write!(text, "{}", now.year),
            ('y', 2) => write!(text, "{:02}", now.year.rem_euclid(100)),
            ('d' | 'M' | 'h' | 'm' | 's', _) => write!(text, "{number:0length$}"),
            _ => write!(text, "{token}"),
        };
    }
    text
}

/// A value as JavaScript writes it into a text.
pub(super) fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Number(number) => match number.as_f64() {
            // 8.0 and 8 are the same number there.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e21 => {
                format!("{float:.0}")
            }
            _ => number.to_string(),
        },
        Json::Array(values) => values.iter().map(shown).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
