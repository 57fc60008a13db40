//! Comparison of JSON documents, field by field.

use serde_json::Value;

/// How a recorded value is compared where equality is not what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Anything of the same JSON type: ids, times.
    SameType,
    /// Anything at all, but it must be there.
    Present,
    /// A list whose order means nothing.
    AnyOrder,
}

/// A path (`a.b.*.c`; `*` is any one member or index, `**` at the front any number of them) and its rule.
pub type PathRule = (&'static str, Rule);

/// All differences between what came and what was recorded, one line each: path, what came, what was expected.
pub fn differences(got: &Value, want: &Value, rules: &[PathRule]) -> Vec<String> {
    let mut found = Vec::new();
    compare(&mut Vec::new(), got, want, rules, &mut found);
    found
}

fn compare(
    path: &mut Vec<String>,
    got: &Value,
    want: &Value,
    rules: &[PathRule],
    found: &mut Vec<String>,
) {
    let rule = rules
        .iter()
        .find(|(pattern, _)| matches(pattern, path))
        .map(|(_, rule)| *rule);
    // The recordings leave out paths of the machine they were made on.
    if want == "<path>" && got.is_string() {
        return;
    }
    match (rule, got, want) {
        (Some(Rule::Present), _, _) => {}
        (Some(Rule::SameType), _, _) => {
            if kind(got) != kind(want) {
                report(path, got, want, found);
            }
        }
        (Some(Rule::AnyOrder), Value::Array(got_items), Value::Array(want_items)) => {
            let mut left: Vec<&Value> = got_items.iter().collect();
            for want_item in want_items {
                match left
                    .iter()
                    .position(|item| differences(item, want_item, rules).is_empty())
                {
                    Some(index) => drop(left.remove(index)),
                    None => found.push(format!(
                        "{}: expected {want_item:#} among {got_items:?}",
                        join(path)
                    )),
                }
            }
            for item in left {
                found.push(format!("{}: unexpected {item:#}", join(path)));
            }
        }
        (_, Value::Object(got_members), Value::Object(want_members)) => {
            for (name, want_member) in want_members {
                path.push(name.clone());
                match got_members.get(name) {
                    Some(got_member) => compare(path, got_member, want_member, rules, found),
                    None => found.push(format!("{}: missing, expected {want_member}", join(path))),
                }
                path.pop();
            }
            for (name, value) in got_members
                .iter()
                .filter(|(name, _)| !want_members.contains_key(*name))
            {
                found.push(format!("{}.{name}: unexpected {value}", join(path)));
            }
        }
        (_, Value::Array(got_items), Value::Array(want_items)) => {
            if got_items.len() != want_items.len() {
                return found.push(format!(
                    "{}: {} items, expected {}: {got} instead of {want}",
                    join(path),
                    got_items.len(),
                    want_items.len()
                ));
            }
            for (index, (got_item, want_item)) in got_items.iter().zip(want_items).enumerate() {
                path.push(index.to_string());
                compare(path, got_item, want_item, rules, found);
                path.pop();
            }
        }
        _ => {
            if !same_scalar(got, want) {
                report(path, got, want, found);
            }
        }
    }
}

/// Equality of numbers by value: JavaScript clients see no difference between 1 and 1.0.
fn same_scalar(got: &Value, want: &Value) -> bool {
    match (got, want) {
        (Value::Number(got), Value::Number(want)) => {
            got == want
                || got
                    .as_f64()
                    .is_some_and(|got| Some(got) == want.as_f64() && got.abs() < 9e15)
        }
        _ => got == want,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn report(path: &[String], got: &Value, want: &Value, found: &mut Vec<String>) {
    found.push(format!("{}: {got}, expected {want}", join(path)));
}

fn join(path: &[String]) -> String {
    if path.is_empty() {
        "(whole)".to_owned()
    } else {
        path.join(".")
    }
}

fn matches(pattern: &str, path: &[String]) -> bool {
    let steps: Vec<&str> = pattern.split('.').collect();
    let (steps, path) = match steps.strip_prefix(&["**"]) {
        Some(rest) if path.len() >= rest.len() => (rest, &path[path.len() - rest.len()..]),
        Some(_) => return false,
        None => (&steps[..], path),
    };
    steps.len() == path.len()
        && steps
            .iter()
            .zip(path)
            .all(|(step, name)| *step == "*" || step == name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_documents_have_no_differences() {
        let document = json!({"a": [1, {"b": null}], "c": "d"});
        assert!(differences(&document, &document, &[]).is_empty());
        assert!(differences(&json!(1.0), &json!(1), &[]).is_empty());
    }

    #[test]
    fn each_difference_names_its_path() {
        let found = differences(
            &json!({"a": {"b": 1, "x": 2}}),
            &json!({"a": {"b": 2, "c": 3}}),
            &[],
        );
        assert_eq!(
            found,
            [
                "a.b: 1, expected 2",
                "a.c: missing, expected 3",
                "a.x: unexpected 2"
            ]
        );
    }

    #[test]
    fn rules_replace_equality_at_their_paths_only() {
        let rules = [("*.id", Rule::SameType), ("**.order", Rule::AnyOrder)];
        assert!(
            differences(
                &json!({"a": {"id": "x"}}),
                &json!({"a": {"id": "y"}}),
                &rules
            )
            .is_empty()
        );
        assert_eq!(
            differences(&json!({"id": "x"}), &json!({"id": "y"}), &rules).len(),
            1
        );
        assert_eq!(
            differences(&json!({"a": {"id": 1}}), &json!({"a": {"id": "y"}}), &rules).len(),
            1
        );
        assert!(
            differences(
                &json!({"a": {"order": [1, 2]}}),
                &json!({"a": {"order": [2, 1]}}),
                &rules
            )
            .is_empty()
        );
        assert_eq!(
            differences(&json!({"order": [1, 1]}), &json!({"order": [2, 1]}), &rules).len(),
            2
        );
    }
}
