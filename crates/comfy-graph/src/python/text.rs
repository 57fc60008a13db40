//! `str()`, `repr()` and `type().__name__`.

use crate::{Json, python_json};
use serde_json::Number;

/// The name of the Python type that a JSON value becomes.
pub(crate) fn type_name(json: &Json) -> &'static str {
    match json {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) if python_json::as_f64(json).is_some() => "float",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

/// `str(value)`.
pub(crate) fn text(json: &Json) -> String {
    match json {
        Json::String(text) if python_json::as_f64(json).is_none() => text.clone(),
        _ => repr(json),
    }
}

/// `repr(value)`.
pub(crate) fn repr(json: &Json) -> String {
    let mut text = String::new();
    write_repr(json, &mut text);
    text
}

fn write_repr(json: &Json, text: &mut String) {
    match json {
        Json::Null => text.push_str("None"),
        Json::Bool(true) => text.push_str("True"),
        Json::Bool(false) => text.push_str("False"),
        Json::Number(number) => text.push_str(&number_repr(number)),
        Json::String(value) => match python_json::as_f64(json) {
            Some(value) => text.push_str(&float_repr(value)),
            None => text.push_str(&string_repr(value)),
        },
        Json::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_repr(item, text);
            }
            text.push(']');
        }
        Json::Object(members) => {
            text.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&string_repr(key));
                text.push_str(": ");
                write_repr(value, text);
            }
            text.push('}');
        }
    }
}

fn number_repr(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float_repr(value),
        _ => number.to_string(),
    }
}

/// `repr(float)`: the shortest digits that read back equal, with an exponent below 1e-4 and from 1e16 on.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific
        .split_once('e')
        .expect("scientific notation has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    if (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// `repr(str)`.
pub(crate) fn string_repr(value: &str) -> String {
    let quote = if value.contains('\'') && !value.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut text = String::with_capacity(value.len() + 2);
    text.push(quote);
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            _ if character == quote => {
                text.push('\\');
                text.push(quote);
            }
            _ if is_printable(character) => text.push(character),
            _ => text.push_str(&escape(character)),
        }
    }
    text.push(quote);
    text
}

fn escape(character: char) -> String {
    let code = u32::from(character);
    match code {
        0..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        _ => format!("\\U{code:08x}"),
    }
}

/// Whether Python shows a character as it is: neither a control, format, private or unassigned one nor a blank other than a space.
fn is_printable(character: char) -> bool {
    let blank = character.is_whitespace() && character != ' ';
    let special = matches!(u32::from(character),
        0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfeff | 0xfff0..=0xfffb
        | 0xe0000..=0xe0fff | 0xf0000..=0x10_ffff);
    let noncharacter = u32::from(character) & 0xfffe == 0xfffe;
    !(character.is_control() || blank || special || noncharacter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn floats() {
        for (value, text) in [
            (1.0, "1.0"),
            (-0.1, "-0.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.234e100, "1.234e+100"),
            (-0.0, "-0.0"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn values() {
        let value = json!({"a": [1, 2.0, null, true], "it's": "a\n\"b\"'\u{1f}\u{a0}é\u{200b}"});
        assert_eq!(
            repr(&value),
            r#"{'a': [1, 2.0, None, True], "it's": 'a\n"b"\'\x1f\xa0é\u200b'}"#
        );
        assert_eq!(text(&json!("a'b")), "a'b");
        assert_eq!(text(&json!(null)), "None");
        assert_eq!(text(&python_json::nan()), "nan");
    }
}
