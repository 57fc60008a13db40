//! `int()`, `float()`, `str()`, `bool()`, `==` and `<`.

use super::text::{float_repr, repr, string_repr, text, type_name};
use crate::{Json, python_json};
use serde_json::Number;
use std::cmp::Ordering;

/// An error as Python would raise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    /// The name of its type.
    pub(crate) kind: &'static str,
    /// Its text.
    pub(crate) message: String,
}

impl Exception {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// A key that a dictionary does not have; the text is the key as Python shows it.
    pub(crate) fn key(key: &Json) -> Self {
        Self::new("KeyError", repr(key))
    }
}

/// Converts a widget value to the type of its input; types without a conversion leave it as it is.
pub(crate) fn convert(value: &Json, socket: &str) -> Result<Json, Exception> {
    match socket {
        "INT" => int(value),
        "FLOAT" => float(value),
        "STRING" => Ok(Json::String(text(value))),
        "BOOLEAN" => Ok(Json::Bool(truth(value))),
        _ => Ok(value.clone()),
    }
}

fn int(value: &Json) -> Result<Json, Exception> {
    if let Some(float) = python_json::as_f64(value) {
        if value.as_i64().is_some() || value.as_u64().is_some() {
            return Ok(value.clone());
        }
        if float.is_nan() {
            return Err(Exception::new(
                "ValueError",
                "cannot convert float NaN to integer",
            ));
        }
        if float.is_infinite() {
            return Err(Exception::new(
                "OverflowError",
                "cannot convert float infinity to integer",
            ));
        }
        return Ok(integer_from_f64(float.trunc()));
    }
    match value {
        Json::Bool(value) => Ok(Json::from(u8::from(*value))),
        Json::String(text) => int_from_text(text),
        _ => Err(Exception::new(
            "TypeError",
            format!(
                "int() argument must be a string, a bytes-like object or a real number, not '{}'",
                type_name(value)
            ),
        )),
    }
}

/// An integer as JSON; beyond 64 bits only a float can hold it, which loses the lower digits.
fn integer_from_f64(value: f64) -> Json {
    let whole = value as i128;
    match (i64::try_from(whole), u64::try_from(whole)) {
        (Ok(value), _) => Json::from(value),
        (_, Ok(value)) => Json::from(value),
        _ => python_json::from_f64(value),
    }
}

fn int_from_text(text: &str) -> Result<Json, Exception> {
    /// Python refuses longer numbers, because reading them takes quadratic time.
    const MOST_DIGITS: usize = 4300;
    let trimmed = text.trim_matches(is_python_blank);
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let Some(digits) = without_underscores(unsigned).filter(|digits| is_digits(digits)) else {
        let shown: String = string_repr(text).chars().take(200).collect();
        return Err(Exception::new(
            "ValueError",
            format!("invalid literal for int() with base 10: {shown}"),
        ));
    };
    if digits.len() > MOST_DIGITS {
        return Err(Exception::new(
            "ValueError",
            format!(
                "Exceeds the limit ({MOST_DIGITS} digits) for integer string conversion: value has {} digits; \
                 use sys.set_int_max_str_digits() to increase the limit",
                digits.len()
            ),
        ));
    }
    let signed = if trimmed.starts_with('-') {
        format!("-{digits}")
    } else {
        digits
    };
    if let Ok(value) = signed.parse::<i64>() {
        return Ok(Json::from(value));
    }
    if let Ok(value) = signed.parse::<u64>() {
        return Ok(Json::from(value));
    }
    Ok(python_json::from_f64(
        signed.parse().unwrap_or(f64::INFINITY),
    ))
}

fn float(value: &Json) -> Result<Json, Exception> {
    if let Some(value) = python_json::as_f64(value) {
        return Ok(python_json::from_f64(value));
    }
    match value {
        Json::Bool(value) => Ok(Json::from(f64::from(u8::from(*value)))),
        Json::String(text) => float_from_text(text),
        _ => Err(Exception::new(
            "TypeError",
            format!(
                "float() argument must be a string or a real number, not '{}'",
                type_name(value)
            ),
        )),
    }
}

fn float_from_text(text: &str) -> Result<Json, Exception> {
    let trimmed = text.trim_matches(is_python_blank);
    // Rust reads the same texts as Python (inf, infinity, nan in any case, 1., .5, 1e3), but for underscores.
    let read = without_underscores(trimmed).and_then(|text| text.parse::<f64>().ok());
    match read {
        Some(value) => Ok(python_json::from_f64(value)),
        None => Err(Exception::new(
            "ValueError",
            format!("could not convert string to float: {}", string_repr(text)),
        )),
    }
}

/// Drops single underscores between digits; `None` when there is one anywhere else.
fn without_underscores(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |index: Option<usize>| {
        index
            .and_then(|index| bytes.get(index))
            .is_some_and(u8::is_ascii_digit)
    };
    let stands_between_digits =
        |index: usize| is_digit(index.checked_sub(1)) && is_digit(index.checked_add(1));
    text.match_indices('_')
        .all(|(index, _)| stands_between_digits(index))
        .then(|| text.replace('_', ""))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What `str.strip()` removes.
fn is_python_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// `bool(value)`.
fn truth(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
    }
}

/// `left == right`: numbers and truth values by value, lists and dictionaries by content.
pub(crate) fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Null, Json::Null) => true,
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|(left, right)| equal(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, left)| right.get(key).is_some_and(|right| equal(left, right)))
        }
        _ => match (Exact::read(left), Exact::read(right)) {
            (Some(left), Some(right)) => left.compare(right) == Some(Ordering::Equal),
            (None, None) => {
                matches!((left, right), (Json::String(left), Json::String(right)) if left == right)
            }
            _ => false,
        },
    }
}

/// Compares two numbers exactly, for `operator` `<` or `>`; `None` beside NaN. Other values raise an error.
pub(crate) fn compare(
    left: &Json,
    operator: char,
    right: &Json,
) -> Result<Option<Ordering>, Exception> {
    match (Exact::read(left), Exact::read(right)) {
        (Some(left), Some(right)) => Ok(left.compare(right)),
        _ => match (left, right) {
            (Json::String(left), Json::String(right)) => Ok(Some(left.cmp(right))),
            _ => Err(Exception::new(
                "TypeError",
                format!(
                    "'{operator}' not supported between instances of '{}' and '{}'",
                    type_name(left),
                    type_name(right)
                ),
            )),
        },
    }
}

/// A number without loss: whole numbers as such, others as floats.
#[derive(Clone, Copy)]
enum Exact {
    Whole(i128),
    Float(f64),
}

impl Exact {
    fn read(json: &Json) -> Option<Self> {
        if let Json::Bool(value) = json {
            return Some(Self::Whole(i128::from(*value)));
        }
        if let Json::Number(number) = json {
            return Some(Self::from_number(number));
        }
        python_json::as_f64(json).map(Self::Float)
    }

    fn from_number(number: &Number) -> Self {
        const WHOLE_BELOW: f64 = 1e38;
        let signed = number.as_i64().map(i128::from);
        match signed.or_else(|| number.as_u64().map(i128::from)) {
            Some(whole) => Self::Whole(whole),
            None => match number.as_f64() {
                Some(value) if value.fract() == 0.0 && value.abs() < WHOLE_BELOW => {
                    Self::Whole(value as i128)
                }
                Some(value) => Self::Float(value),
                None => Self::Float(f64::NAN),
            },
        }
    }

    fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(left), Self::Whole(right)) => Some(left.cmp(&right)),
            // A float that is not whole is below 2^53, where whole numbers convert without loss, or not finite or beyond i64.
            (Self::Whole(left), Self::Float(right)) => (left as f64).partial_cmp(&right),
            (Self::Float(left), Self::Whole(right)) => left.partial_cmp(&(right as f64)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(&right),
        }
    }
}

/// How a message shows a number that was converted to `socket`: whole numbers beyond 64 bits with all their digits.
pub(crate) fn shown(value: &Json, socket: &str) -> String {
    match value.as_f64() {
        Some(float) if socket == "INT" && value.is_f64() => format!("{float:.0}"),
        Some(float) if value.is_f64() => float_repr(float),
        _ => text(value),
    }
}
