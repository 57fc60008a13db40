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
fn refuses_what_python_refuses() {
    for text in [
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
