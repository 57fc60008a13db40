#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use serde_json::json;

#[test]
fn writes_as_python_does() {
    let value = json!({"a": [1, 2.0, 0.1, 1e16, 1e-5, true, null], "é\u{7f}": "\u{1f600}\n\"\\/"});
    assert_eq!(
        to_string(&value),
        r#"{"a": [1, 2.0, 0.1, 1e+16, 1e-05, true, null], "\u00e9\u007f": "\ud83d\ude00\n\"\\/"}"#
    );
    assert_eq!(
        to_compact_string(&json!({"a": [1, {}], "b": []})),
        r#"{"a":[1,{}],"b":[]}"#
    );
}

#[test]
fn tokens_survive_a_round_trip() {
    let text = r#"{"is_changed": [NaN], "x": [Infinity, -Infinity, 1], "text": "NaN, \"Infinity"}"#;
    let value = from_str(text).unwrap();
    assert!(as_f64(&value["is_changed"][0]).unwrap().is_nan());
    assert_eq!(as_f64(&value["x"][1]), Some(f64::NEG_INFINITY));
    assert_eq!(value["text"], "NaN, \"Infinity");
    assert_eq!(to_string(&value), text);
    assert_eq!(
        to_standard(&value),
        json!({"is_changed": [null], "x": [null, null, 1], "text": "NaN, \"Infinity"})
    );
    assert!(contains_nan(&value));
    assert!(!contains_nan(&value["x"]));
}

#[test]
fn numbers_are_read_to_the_last_digit() {
    let text = r#"[5e+39, 0.30000000000000004, 1.7976931348623157e+308, 2.2250738585072014e-308, -0.0, 18446744073709551615, 0.1, "0.5e40"]"#;
    assert_eq!(to_string(&from_str(text).unwrap()), text);
    let huge = from_str("[1e400, -1e400]").unwrap();
    assert_eq!(to_string(&huge), "[Infinity, -Infinity]");
    assert_eq!(from_str("0.5e40").unwrap().as_f64(), Some(0.5e40));
}

#[test]
fn refuses_what_python_refuses() {
    // Looked at once, not from each of its digits on.
    for long in ["0", "1e", "1.", "-", "1e+400.e"] {
        assert!(from_str(&long.repeat(1 << 20)).is_err(), "{long}");
    }
    for text in [
        "{1.5e3: 1}",
        "[01.5e3]",
        "[1.e3]",
        "[1e]",
        "[1.23456789012345678e5x]",
        "{NaN: 1}",
        "NaNNaN",
        "nan",
        "[1,]",
        "{\"a\": Infinit}",
        "\"",
        "\"\\",
        "",
    ] {
        assert!(from_str(text).is_err(), "{text}");
    }
}
