//! JSON as Python reads and writes it.
//!
//! Two things differ from the standard. Python writes numbers in its own way (`1e-05`, `0.1`) and non-ASCII characters as
//! escapes, which matters where bytes are compared, as in the metadata of pictures. And it reads and writes the tokens
//! `NaN`, `Infinity` and `-Infinity`, which a [`Json`] number cannot hold: [`from_slice`] reads them as strings that begin
//! with the noncharacter U+FDD0, [`to_string`] writes those as tokens again, [`as_f64`] reads them as numbers, and
//! [`to_standard`] turns them into null for clients that accept no such token.

use crate::Json;
use crate::python::float_repr;
use serde_json::Number;
use std::borrow::Cow;
use std::fmt::Write;

/// Marks a string that stands for a number which JSON cannot write.
const MARK: char = '\u{FDD0}';

/// Not a number; equal to nothing.
pub fn nan() -> Json {
    from_f64(f64::NAN)
}

/// A number, which may be infinite or not a number.
pub fn from_f64(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None => Json::String(format!("{MARK}{}", token(value))),
    }
}

/// The number in `json`, if it is one; infinite and NaN as [`from_f64`] writes them.
pub fn as_f64(json: &Json) -> Option<f64> {
    match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.strip_prefix(MARK)? {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Whether `json` is NaN or contains it.
pub fn contains_nan(json: &Json) -> bool {
    match json {
        Json::Array(items) => items.iter().any(contains_nan),
        Json::Object(members) => members.values().any(contains_nan),
        _ => as_f64(json).is_some_and(f64::is_nan),
    }
}

fn token(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// A copy that standard JSON can write: null where a number is infinite or NaN.
pub fn to_standard(json: &Json) -> Json {
    match json {
        Json::Array(items) => items.iter().map(to_standard).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(key, value)| (key.clone(), to_standard(value)))
            .collect(),
        Json::String(_) if as_f64(json).is_some() => Json::Null,
        _ => json.clone(),
    }
}

/// Reads JSON, with Python's additional tokens, and with numbers to the last digit.
pub fn from_slice(bytes: &[u8]) -> Result<Json, serde_json::Error> {
    let marked = with_marked_tokens(bytes);
    let mut json = serde_json::from_slice(&marked)?;
    if matches!(marked, Cow::Owned(_)) {
        settle_numbers(&mut json);
    }
    Ok(json)
}

/// Reads the numbers that were marked because `serde_json` might have been a digit off; too large ones are infinite.
fn settle_numbers(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(settle_numbers),
        Json::Object(members) => members.values_mut().for_each(settle_numbers),
        Json::String(text) => {
            let number = text.strip_prefix(MARK);
            let number = number.filter(|number| is_number(number.as_bytes()));
            if let Some(value) = number.and_then(|number| number.parse().ok()) {
                *json = from_f64(value);
            }
        }
        _ => {}
    }
}

/// As [`from_slice`].
pub fn from_str(text: &str) -> Result<Json, serde_json::Error> {
    from_slice(text.as_bytes())
}

/// Replaces Python's tokens, and numbers that `serde_json` rounds carelessly, by marked strings where a value may stand.
fn with_marked_tokens(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut marked: Vec<u8> = Vec::new();
    let mut copied = 0;
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        let rest = &bytes[position..];
        if byte == b'"' {
            position += string_length(rest);
            continue;
        }
        let tokens = ["NaN", "Infinity", "-Infinity"];
        let mut tokens = tokens.into_iter().map(str::as_bytes);
        let token = tokens.find(|token| rest.starts_with(token));
        let token = token.unwrap_or_else(|| number_like(rest));
        if token.is_empty() {
            position += 1;
            continue;
        }
        let end = position + token.len();
        let next = bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace());
        if next != Some(&b':') && is_to_be_marked(token) {
            marked.extend_from_slice(&bytes[copied..position]);
            marked.push(b'"');
            marked.extend_from_slice(MARK.encode_utf8(&mut [0; 4]).as_bytes());
            marked.extend_from_slice(token);
            marked.push(b'"');
            copied = end;
        }
        position = end;
    }
    if copied == 0 {
        return Cow::Borrowed(bytes);
    }
    marked.extend_from_slice(&bytes[copied..]);
    Cow::Owned(marked)
}

/// What stands at the start of `bytes` of the characters that numbers consist of, if it begins as one.
fn number_like(bytes: &[u8]) -> &[u8] {
    if !matches!(bytes.first(), Some(b'-' | b'0'..=b'9')) {
        return &[];
    }
    let belongs = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    &bytes[..bytes.iter().take_while(belongs).count()]
}

/// Whether a token is Python's, or a number that `serde_json` does not read as what it stands for: of those with a fraction or an exponent
/// it only rounds short ones well. What is neither is left to the parser to complain of.
fn is_to_be_marked(token: &[u8]) -> bool {
    if token.ends_with(b"NaN") || token.ends_with(b"Infinity") {
        return true;
    }
    let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
    let has = |wanted: &[u8]| token.iter().any(|byte| wanted.contains(byte));
    (has(b"eE") || digits > 15 && has(b".")) && is_number(token)
}

/// Whether a text is a number as JSON writes it.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || whole > 1 && text[0] == b'0' {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) else {
        return rest.is_empty();
    };
    let signless = exponent
        .strip_prefix(b"+")
        .or_else(|| exponent.strip_prefix(b"-"));
    let exponent = signless.unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// The length of the string literal at the start of `bytes`, quotes included.
fn string_length(bytes: &[u8]) -> usize {
    let mut position = 1;
    while let Some(byte) = bytes.get(position) {
        match byte {
            b'"' => return position + 1,
            b'\\' => position += 2,
            _ => position += 1,
        }
    }
    bytes.len()
}

/// Writes JSON as Python's `json.dumps` does: `", "` and `": "` between, ASCII only.
pub fn to_string(json: &Json) -> String {
    let mut text = String::new();
    write_value(json, ", ", ": ", &mut text);
    text
}

/// Writes JSON as Python's `json.dumps` does with the separators `","` and `":"`.
pub fn to_compact_string(json: &Json) -> String {
    let mut text = String::new();
    write_value(json, ",", ":", &mut text);
    text
}

fn write_value(json: &Json, comma: &str, colon: &str, text: &mut String) {
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(number) => text.push_str(&number_text(number)),
        Json::String(value) => match as_f64(json) {
            Some(value) => text.push_str(token(value)),
            None => write_string(value, text),
        },
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(comma);
                }
                write_value(item, comma, colon, text);
            }
            text.push(']');
        }
        Json::Object(members) => {
            text.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    text.push_str(comma);
                }
                write_string(key, text);
                text.push_str(colon);
                write_value(value, comma, colon, text);
            }
            text.push('}');
        }
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float_repr(value),
        _ => number.to_string(),
    }
}

fn write_string(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
#[path = "python_json/tests.rs"]
mod tests;
