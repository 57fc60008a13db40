//! Each expectation is what Python 3 answers.
#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::{Json, python_json};
use serde_json::json;
use std::cmp::Ordering;

#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without borrowing"
)]
fn converted(socket: &str, value: Json) -> Result<Json, String> {
    convert(&value, socket)
        .map_err(|exception| format!("{}: {}", exception.kind, exception.message))
}

#[test]
fn int() {
    for (value, expected) in [
        (json!("32"), json!(32)),
        (json!(" -32\n"), json!(-32)),
        (json!("+1_000"), json!(1000)),
        (json!("18446744073709551615"), json!(u64::MAX)),
        (json!(16.9), json!(16)),
        (json!(-16.9), json!(-16)),
        (json!(-0.0), json!(0)),
        (json!(1.844e19), json!(18_440_000_000_000_000_000_u64)),
        (json!(true), json!(1)),
        (json!(u64::MAX), json!(u64::MAX)),
    ] {
        assert_eq!(converted("INT", value), Ok(expected));
    }
    let argument = |kind| {
        format!(
            "TypeError: int() argument must be a string, a bytes-like object or a real number, not '{kind}'"
        )
    };
    let literal =
        |text: &str| format!("ValueError: invalid literal for int() with base 10: {text}");
    for (value, expected) in [
        (json!("16.5"), literal("'16.5'")),
        (json!(""), literal("''")),
        (json!("1__0"), literal("'1__0'")),
        (json!("_1"), literal("'_1'")),
        (json!("1e3"), literal("'1e3'")),
        (json!("it's"), literal("\"it's\"")),
        (
            json!("a".repeat(300)),
            literal(&format!("'{}", "a".repeat(199))),
        ),
        (json!(null), argument("NoneType")),
        (json!({}), argument("dict")),
        (json!([1]), argument("list")),
        (
            python_json::nan(),
            "ValueError: cannot convert float NaN to integer".into(),
        ),
        (
            python_json::from_f64(f64::INFINITY),
            "OverflowError: cannot convert float infinity to integer".into(),
        ),
    ] {
        assert_eq!(converted("INT", value), Err(expected));
    }
    assert!(converted("INT", json!("9".repeat(4300))).is_ok());
    let long = converted("INT", json!("9".repeat(4301))).unwrap_err();
    assert!(long.contains("value has 4301 digits"), "{long}");
}

#[test]
fn float() {
    for (value, expected) in [
        (json!("1e3"), json!(1000.0)),
        (json!(" .5 "), json!(0.5)),
        (json!("1_0.5"), json!(10.5)),
        (json!(7), json!(7.0)),
        (json!(false), json!(0.0)),
        (json!("-Infinity"), python_json::from_f64(f64::NEG_INFINITY)),
        (json!("1e999"), python_json::from_f64(f64::INFINITY)),
        (json!("nan"), python_json::nan()),
        (python_json::nan(), python_json::nan()),
    ] {
        assert_eq!(converted("FLOAT", value), Ok(expected));
    }
    for (value, expected) in [
        (
            json!("x"),
            "ValueError: could not convert string to float: 'x'",
        ),
        (
            json!("0x1p3"),
            "ValueError: could not convert string to float: '0x1p3'",
        ),
        (
            json!(null),
            "TypeError: float() argument must be a string or a real number, not 'NoneType'",
        ),
        (
            json!({"a": 1}),
            "TypeError: float() argument must be a string or a real number, not 'dict'",
        ),
    ] {
        assert_eq!(converted("FLOAT", value), Err(expected.into()));
    }
}

#[test]
fn text_truth_and_the_rest() {
    for (value, text, truth) in [
        (json!(null), "None", false),
        (json!(true), "True", true),
        (json!(1.0), "1.0", true),
        (json!(1e22), "1e+22", true),
        (json!(0), "0", false),
        (json!("false"), "false", true),
        (json!(""), "", false),
        (json!({"a": [1, "b"]}), "{'a': [1, 'b']}", true),
        (json!({}), "{}", false),
        (json!([]), "[]", false),
        (python_json::nan(), "nan", true),
    ] {
        assert_eq!(converted("STRING", value.clone()), Ok(json!(text)));
        assert_eq!(converted("BOOLEAN", value.clone()), Ok(json!(truth)));
        assert_eq!(converted("IMAGE", value.clone()), Ok(value));
    }
}

#[test]
fn equality() {
    for (left, right, expected) in [
        (json!(1), json!(1.0), true),
        (json!(1), json!(true), true),
        (json!(0.0), json!(false), true),
        (json!("1"), json!(1), false),
        (json!(null), json!(false), false),
        (json!([1, {"a": 2}]), json!([1.0, {"a": 2.0}]), true),
        (json!({"a": 1}), json!({"b": 1}), false),
        (json!(u64::MAX), json!(u64::MAX as f64), false),
        (python_json::nan(), python_json::nan(), false),
        (python_json::nan(), json!("NaN"), false),
    ] {
        assert_eq!(equal(&left, &right), expected, "{left} {right}");
        assert_eq!(equal(&right, &left), expected, "{right} {left}");
    }
}

#[test]
fn order() {
    let by = |left: Json, right: Json| compare(&left, '<', &right).unwrap();
    assert_eq!(by(json!(1), json!(1.5)), Some(Ordering::Less));
    assert_eq!(
        by(json!(u64::MAX as f64), json!(u64::MAX)),
        Some(Ordering::Greater)
    );
    assert_eq!(by(json!(-1), json!(0)), Some(Ordering::Less));
    assert_eq!(by(json!(true), json!(0.5)), Some(Ordering::Greater));
    assert_eq!(
        by(python_json::from_f64(f64::INFINITY), json!(1)),
        Some(Ordering::Greater)
    );
    assert_eq!(by(python_json::nan(), json!(1)), None);
    assert_eq!(
        compare(&json!("a"), '<', &json!(1)).unwrap_err(),
        Exception::new(
            "TypeError",
            "'<' not supported between instances of 'str' and 'int'"
        )
    );
}
