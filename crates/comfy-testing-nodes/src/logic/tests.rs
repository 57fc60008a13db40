//! Arithmetic, comparisons and truth values are Python's.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_graph::testing::NodeTester;

use super::*;

fn computed(a: i64, operation: &str, b: i64) -> Result<i128, NodeError> {
    let tester = NodeTester::<IntMathOperation>::new()
        .set("a", a)
        .set("b", b);
    tester
        .set("operation", operation)
        .run()
        .map(|result| result.0)
}

#[test]
fn arithmetic_is_pythons() {
    for (a, operation, b, expected) in [
        (7, "add", -2, 5),
        (7, "subtract", 9, -2),
        (-7, "multiply", 3, -21),
        (7, "divide", 2, 3),
        (-7, "divide", 2, -4),
        (7, "divide", -2, -4),
        (-7, "modulo", 2, 1),
        (7, "modulo", -2, -1),
        (-6, "modulo", 2, 0),
        (2, "power", 100, 1 << 100),
    ] {
        assert_eq!(
            computed(a, operation, b).unwrap(),
            expected,
            "{a} {operation} {b}"
        );
    }
    for (a, operation, b) in [
        (1, "divide", 0),
        (1, "modulo", 0),
        (2, "power", -1),
        (2, "power", 127),
    ] {
        assert!(computed(a, operation, b).is_err(), "{a} {operation} {b}");
    }
}

#[test]
fn texts_are_compared_in_six_ways() {
    for (a, operation, b, case_sensitive, expected) in [
        ("Ab", "a == b", "aB", true, false),
        ("Ab", "a == b", "aB", false, true),
        ("x", "a != b", "y", true, true),
        ("b", "a IN b", "abc", true, true),
        ("abc", "a IN b", "b", true, false),
        ("abc", "a MATCH REGEX(b)", "b|a.", true, true),
        ("abc", "a MATCH REGEX(b)", "b", true, false),
        ("abc", "a MATCH REGEX(b)", "(", true, false),
        ("abc", "a BEGINSWITH b", "ab", true, true),
        ("abc", "a ENDSWITH b", "BC", false, true),
    ] {
        let tester = NodeTester::<StringConditions>::new()
            .set("a", a)
            .set("b", b);
        let tester = tester
            .set("operation", operation)
            .set("case_sensitive", case_sensitive);
        assert_eq!(tester.run().unwrap(), expected, "{a} {operation} {b}");
    }
}

#[test]
fn truth_is_pythons() {
    let black = Image::from_values(vec![0.0; 12], [1, 2, 2, 3]).unwrap();
    let grey = Image::from_values(vec![0.5; 12], [1, 2, 2, 3]).unwrap();
    for (value, expected) in [
        (Value::new(0_i64), false),
        (Value::new(-1_i64), true),
        (Value::new(0.0), false),
        (Value::new(String::new()), false),
        (Value::new("false".to_owned()), true),
        (Value::null(), false),
        (Value::new(black), false),
        (Value::new(grey), true),
    ] {
        assert_eq!(is_true(&value).unwrap(), expected, "{value:?}");
        let tester = NodeTester::<ToBool>::new()
            .wire("value", value)
            .set("invert", true);
        assert_eq!(tester.run().unwrap(), !expected);
    }
}

#[test]
fn truth_values_are_joined_in_four_ways() {
    for (operation, expected) in [
        ("a AND b", [false, false, false, true]),
        ("a OR b", [false, true, true, true]),
        ("a XOR b", [false, true, true, false]),
        ("NOT a", [true, true, false, false]),
    ] {
        let cases = [(false, false), (false, true), (true, false), (true, true)];
        let results = cases.map(|(a, b)| {
            let tester = NodeTester::<BoolOperation>::new().set("a", a).set("b", b);
            tester.set("op", operation).run().unwrap()
        });
        assert_eq!(results, expected, "{operation}");
    }
}

#[test]
fn numbers_are_compared_in_six_ways() {
    for (operation, expected) in [
        ("==", [false, true, false]),
        ("!=", [true, false, true]),
        ("<", [true, false, false]),
        (">", [false, false, true]),
        ("<=", [true, true, false]),
        (">=", [false, true, true]),
    ] {
        let whole = [1, 2, 3].map(|a| {
            let tester = NodeTester::<IntConditions>::new().set("a", a).set("b", 2);
            tester.set("operation", operation).run().unwrap()
        });
        let floats = [1.5, 2.0, 2.5].map(|a| {
            let tester = NodeTester::<FloatConditions>::new()
                .set("a", a)
                .set("b", 2.0);
            tester.set("operation", operation).run().unwrap()
        });
        assert_eq!((whole, floats), (expected, expected), "{operation}");
    }
}
