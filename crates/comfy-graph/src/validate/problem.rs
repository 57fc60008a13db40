//! One function for each complaint; the texts are ComfyUI's, because clients compare them.
//!
//! Beside ComfyUI's members, `extra_info` has what helps a person: `nearest` has names that may have been meant,
//! `searched_folders` the directories of a file that was not found, and `source` and `expected_type` the two ends of a link.

use super::near::nearest;
use crate::python::{Exception, text, type_name};
use crate::{InputSpec, Json, NodeRegistry, OutputSpec, python};
use comfy_api::error::ErrorDetail;
use serde_json::{Map, json};

/// Lists of choices longer than this are not repeated in complaints.
const LONGEST_LIST: usize = 20;

pub(super) fn not_a_prompt(prompt: &Json) -> ErrorDetail {
    let found = type_name(prompt);
    ErrorDetail::new(
        "invalid_prompt",
        "Cannot execute because the prompt is not an object.",
        format!("expected an object that maps node ids to nodes, found {found}"),
    )
}

pub(super) fn missing_class_type(id: &str) -> ErrorDetail {
    ErrorDetail::new(
        "invalid_prompt",
        "Cannot execute because a node is missing the class_type property.",
        format!("Node ID '#{id}'"),
    )
}

pub(super) fn unknown_class(id: &str, class_type: &Json, registry: &NodeRegistry) -> ErrorDetail {
    let class_type = text(class_type);
    let mut error = ErrorDetail::new(
        "invalid_prompt",
        format!("Cannot execute because node {class_type} does not exist."),
        format!("Node ID '#{id}'"),
    );
    let near = nearest(&class_type, registry.iter().map(|(class, _)| class));
    add(&mut error, "nearest", Json::from(near));
    error
}

pub(super) fn no_outputs() -> ErrorDetail {
    ErrorDetail::new("prompt_no_outputs", "Prompt has no outputs", "")
}

pub(super) fn outputs_failed(details: String) -> ErrorDetail {
    ErrorDetail::new(
        "prompt_outputs_failed_validation",
        "Prompt outputs failed validation",
        details,
    )
}

pub(super) fn missing(input: &InputSpec) -> ErrorDetail {
    about(
        input,
        "required_input_missing",
        "Required input is missing",
        input.name.clone(),
        [],
    )
}

pub(super) fn bad_link(input: &InputSpec, value: &Json) -> ErrorDetail {
    about(
        input,
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        input.name.clone(),
        [
            ("input_config", input.config()),
            ("received_value", value.clone()),
        ],
    )
}

pub(super) fn type_mismatch(
    input: &InputSpec,
    source: &str,
    output: &OutputSpec,
    link: &Json,
) -> ErrorDetail {
    let received = output.socket.to_json();
    let details = format!(
        "{}, received_type({}) mismatch input_type({})",
        input.name,
        text(&received),
        text(&input.socket.to_json())
    );
    about(
        input,
        "return_type_mismatch",
        "Return type mismatch between linked nodes",
        details,
        [
            ("input_config", input.config()),
            ("received_type", received),
            ("linked_node", link.clone()),
            (
                "source",
                json!({"class_type": source, "output": output.name}),
            ),
            ("expected_type", input.socket.to_json()),
        ],
    )
}

pub(super) fn conversion(input: &InputSpec, value: &Json, exception: &Exception) -> ErrorDetail {
    let reason = &exception.message;
    about(
        input,
        "invalid_input_type",
        format!(
            "Failed to convert an input value to a {} value",
            input.socket.name()
        ),
        format!("{}, {}, {reason}", input.name, text(value)),
        [
            ("input_config", input.config()),
            ("received_value", value.clone()),
            ("exception_message", Json::from(reason.as_str())),
        ],
    )
}

pub(super) fn too_small(input: &InputSpec, value: &Json, min: &Json) -> ErrorDetail {
    let shown = python::shown(value, input.socket.name());
    out_of_range(
        input,
        "value_smaller_than_min",
        format!("Value {shown} smaller than min of {}", text(min)),
        value,
    )
}

pub(super) fn too_big(input: &InputSpec, value: &Json, max: &Json) -> ErrorDetail {
    let shown = python::shown(value, input.socket.name());
    out_of_range(
        input,
        "value_bigger_than_max",
        format!("Value {shown} bigger than max of {}", text(max)),
        value,
    )
}

fn out_of_range(input: &InputSpec, kind: &str, message: String, value: &Json) -> ErrorDetail {
    about(
        input,
        kind,
        message,
        input.name.clone(),
        [
            ("input_config", input.config()),
            ("received_value", value.clone()),
        ],
    )
}

pub(super) fn not_a_choice(
    input: &InputSpec,
    choices: &[Json],
    value: &Json,
    folders: Vec<String>,
) -> ErrorDetail {
    let is_long = choices.len() > LONGEST_LIST;
    let (list, config) = if is_long {
        (format!("(list of length {})", choices.len()), Json::Null)
    } else {
        (text(&input.socket.to_json()), input.config())
    };
    let mut error = about(
        input,
        "value_not_in_list",
        "Value not in list",
        format!("{}: '{}' not in {list}", input.name, text(value)),
        [("input_config", config), ("received_value", value.clone())],
    );
    let names = choices.iter().filter_map(Json::as_str);
    add(
        &mut error,
        "nearest",
        Json::from(nearest(&text(value), names)),
    );
    add(&mut error, "searched_folders", Json::from(folders));
    error
}

/// Adds a list to `extra_info`, unless it is empty.
fn add(error: &mut ErrorDetail, key: &str, list: Json) {
    if list.as_array().is_some_and(|list| !list.is_empty()) {
        error.extra_info.insert(key.to_owned(), list);
    }
}

pub(super) fn failed_check(input: &str, reason: &str) -> ErrorDetail {
    let details = if reason.is_empty() {
        input.to_owned()
    } else {
        format!("{input} - {reason}")
    };
    about_name(
        input,
        "custom_validation_failed",
        "Custom validation failed for node",
        details,
        [],
    )
}

/// The node at the other end of `link` could not be tested at all; the complaint is about that node.
pub(super) fn inner_exception(
    input: &InputSpec,
    link: &Json,
    node: &str,
    exception: &Exception,
) -> ErrorDetail {
    about(
        input,
        "exception_during_inner_validation",
        "Exception when validating inner node",
        exception.message.clone(),
        [
            ("input_config", input.config()),
            ("exception_message", Json::from(exception.message.as_str())),
            ("exception_type", Json::from(exception.kind)),
            ("traceback", trace(node)),
            ("linked_node", link.clone()),
        ],
    )
}

/// An output node could not be tested at all.
pub(super) fn exception(node: &str, exception: &Exception) -> ErrorDetail {
    let mut error = ErrorDetail::new(
        "exception_during_validation",
        "Exception when validating node",
        exception.message.as_str(),
    );
    error.extra_info = members([
        ("exception_type", Json::from(exception.kind)),
        ("traceback", trace(node)),
    ]);
    error
}

/// Clients expect a list of lines; ours says where the fault is, not where in our source it was found.
fn trace(node: &str) -> Json {
    json!([format!("node {node} of the prompt\n")])
}

fn about<const N: usize>(
    input: &InputSpec,
    kind: &str,
    message: impl Into<String>,
    details: String,
    more: [(&str, Json); N],
) -> ErrorDetail {
    about_name(&input.name, kind, message, details, more)
}

fn about_name<const N: usize>(
    input: &str,
    kind: &str,
    message: impl Into<String>,
    details: String,
    more: [(&str, Json); N],
) -> ErrorDetail {
    let mut error = ErrorDetail::new(kind, message, details);
    error.extra_info = members([("input_name", Json::from(input))]);
    error.extra_info.extend(members(more));
    error
}

fn members<const N: usize>(members: [(&str, Json); N]) -> Map<String, Json> {
    members
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}
