//! What a link points at, and whether its type fits.

use crate::python::{Exception, equal, type_name};
use crate::{Json, OutputSpec, SocketType};
use serde_json::Map;

/// The id of the linked node; an exception as Python raises it when the prompt has none.
pub(super) fn linked_node<'a>(
    nodes: &'a Map<String, Json>,
    id: &Json,
) -> Result<(&'a str, &'a Json), Exception> {
    match id {
        Json::Array(_) | Json::Object(_) => Err(Exception::new(
            "TypeError",
            format!("unhashable type: '{}'", type_name(id)),
        )),
        Json::String(text) => nodes
            .get_key_value(text)
            .map(|(id, node)| (id.as_str(), node))
            .ok_or_else(|| Exception::key(id)),
        // Node ids are strings: a number finds nothing.
        _ => Err(Exception::key(id)),
    }
}

/// The output that a slot number means; negative numbers count from the end.
pub(super) fn linked_output<'a>(
    outputs: &'a [OutputSpec],
    slot: &Json,
) -> Result<&'a OutputSpec, Exception> {
    let number = match slot {
        Json::Bool(slot) => i64::from(*slot),
        Json::Number(number) if !number.is_f64() => number.as_i64().unwrap_or(i64::MAX),
        _ => {
            return Err(Exception::new(
                "TypeError",
                format!(
                    "tuple indices must be integers or slices, not {}",
                    type_name(slot)
                ),
            ));
        }
    };
    crate::prompt::index(number, outputs.len())
        .and_then(|index| outputs.get(index))
        .ok_or_else(|| Exception::new("IndexError", "tuple index out of range"))
}

/// Whether an output may be linked to an input.
///
/// `*` fits everything, names fit when any of their comma-separated parts is the same, lists of choices only when equal.
pub(super) fn fits(output: &SocketType, input: &SocketType) -> bool {
    match (output, input) {
        (SocketType::Choices(output), SocketType::Choices(input)) => {
            output.len() == input.len()
                && output
                    .iter()
                    .zip(input)
                    .all(|(output, input)| equal(output, input))
        }
        (SocketType::Choices(_), other) | (other, SocketType::Choices(_)) => {
            parts(other.name()).any(|part| part == "*")
        }
        (output, input) => {
            let (output, input) = (output.name(), input.name());
            output == input
                || parts(output).any(|part| part == "*" || parts(input).any(|other| other == part))
                || parts(input).any(|part| part == "*")
        }
    }
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn named(name: &str) -> SocketType {
        SocketType::Named(name.into())
    }

    fn choices(names: &[&str]) -> SocketType {
        SocketType::Choices(names.iter().map(|&name| Json::from(name)).collect())
    }

    #[test]
    fn types() {
        for (output, input, expected) in [
            (named("IMAGE"), named("IMAGE"), true),
            (named("IMAGE"), named("MASK"), false),
            (named("INT"), named("FLOAT"), false),
            (named("INT"), named("FLOAT, INT"), true),
            (named("A,B"), named("C,B"), true),
            (named("*"), named("IMAGE"), true),
            (named("IMAGE"), named("*"), true),
            (choices(&["a"]), named("*"), true),
            (choices(&["a"]), choices(&["a"]), true),
            (choices(&["a"]), choices(&["a", "b"]), false),
            (named("STRING"), choices(&["a"]), false),
            (named("COMBO"), choices(&["a"]), false),
        ] {
            assert_eq!(fits(&output, &input), expected, "{output:?} to {input:?}");
        }
    }

    #[test]
    fn slots() {
        let outputs: Vec<_> = ["A", "B"]
            .map(|name| OutputSpec {
                socket: named(name),
                name: name.into(),
                tooltip: None,
                is_list: false,
            })
            .into();
        let name = |slot| {
            linked_output(&outputs, &slot)
                .map(|output| output.name.clone())
                .map_err(|exception| exception.message)
        };
        assert_eq!(name(json!(1)), Ok("B".into()));
        assert_eq!(name(json!(-2)), Ok("A".into()));
        assert_eq!(name(json!(true)), Ok("B".into()));
        assert_eq!(name(json!(2)), Err("tuple index out of range".into()));
        assert_eq!(name(json!(-3)), Err("tuple index out of range".into()));
        assert_eq!(
            name(json!(0.0)),
            Err("tuple indices must be integers or slices, not float".into())
        );
    }
}
