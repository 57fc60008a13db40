//! Pages for people about node classes, as Markdown, made from their schemas.

mod example;

use std::fmt::Write;

use indexmap::IndexMap;

use crate::{InputSpec, Json, NodeSchema, Section, SocketType};

pub use example::Examples;

/// The page of one class, as the help panel of a front end shows it.
pub fn page(schema: &NodeSchema, examples: &Examples<'_>) -> String {
    let mut text = format!("# {}\n\n", schema.display_name());
    write_class(&mut text, schema, examples, "##");
    text
}

/// The classes by category, in the order of their names.
pub fn by_category(schemas: &[NodeSchema]) -> IndexMap<&str, Vec<&NodeSchema>> {
    let mut categories: IndexMap<&str, Vec<&NodeSchema>> = IndexMap::new();
    for schema in schemas {
        categories.entry(&schema.category).or_default().push(schema);
    }
    categories.sort_unstable_keys();
    for schemas in categories.values_mut() {
        schemas.sort_unstable_by(|left, right| left.id.cmp(&right.id));
    }
    categories
}

/// The page of a category: all of its classes.
pub fn category_page(category: &str, schemas: &[&NodeSchema], examples: &Examples<'_>) -> String {
    let mut text = format!("# {category}\n");
    for schema in schemas {
        let _ = write!(text, "\n## {}\n\n", schema.display_name());
        write_class(&mut text, schema, examples, "###");
    }
    text
}

/// The name of a category's file.
pub fn file_name(category: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() {
            letter.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = category.chars().map(plain).collect();
    format!("{}.md", name.trim_matches('-'))
}

fn write_class(text: &mut String, schema: &NodeSchema, examples: &Examples<'_>, heading: &str) {
    let _ = write!(text, "`{}` · {}", schema.id, schema.category);
    for (mark, is_set) in [
        ("output node", schema.output_node),
        ("deprecated", schema.deprecated),
        ("experimental", schema.experimental),
        ("paid service", schema.api_node),
    ] {
        if is_set {
            let _ = write!(text, " · {mark}");
        }
    }
    let _ = write!(text, "\n\n{}\n", schema.description);

    let inputs: Vec<&InputSpec> = schema.inputs.iter().filter(|spec| is_given(spec)).collect();
    if !inputs.is_empty() {
        let _ = write!(
            text,
            "\n{heading} Inputs\n\n| Input | Type | Default | Values | |\n|---|---|---|---|---|\n"
        );
        for input in inputs {
            let _ = writeln!(
                text,
                "| `{}`{} | {} | {} | {} | {} |",
                input.name,
                if input.section == Section::Optional {
                    " (optional)"
                } else {
                    ""
                },
                type_name(&input.socket, input.is_list),
                input.settings.get("default").map_or(String::new(), code),
                values(input),
                cell(input.settings.get("tooltip").and_then(Json::as_str))
            );
        }
    }
    if !schema.outputs.is_empty() {
        let _ = write!(
            text,
            "\n{heading} Outputs\n\n| Output | Type | |\n|---|---|---|\n"
        );
        for output in &schema.outputs {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} |",
                output.name,
                type_name(&output.socket, output.is_list),
                cell(output.tooltip.as_deref())
            );
        }
    }
    if let Some(prompt) = examples.prompt(schema) {
        // A prompt is made of texts and numbers, which can always be written.
        let prompt = serde_json::to_string_pretty(&prompt).unwrap_or_default();
        let _ = write!(text, "\n{heading} Example\n\n```json\n{prompt}\n```\n");
    }
}

/// Whether a prompt may give it.
fn is_given(input: &InputSpec) -> bool {
    matches!(input.section, Section::Required | Section::Optional)
}

fn type_name(socket: &SocketType, is_list: bool) -> String {
    let name = match socket.name() {
        "*" => "any",
        name => name,
    };
    if is_list {
        format!("list of {name}")
    } else {
        name.to_owned()
    }
}

/// The choices or the range.
fn values(input: &InputSpec) -> String {
    if let Some(choices) = choices(&input.socket) {
        let names: Vec<String> = choices.iter().map(code).collect();
        return match (names.is_empty(), input.list) {
            (true, _) => "files of the server".to_owned(),
            (false, _) => names.join(" "),
        };
    }
    let number = |key: &str| input.settings.get(key).map(Json::to_string);
    let mut text = match (number("min"), number("max")) {
        (Some(min), Some(max)) => format!("{min} … {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => String::new(),
    };
    if let Some(step) = number("step").filter(|_| !text.is_empty()) {
        let _ = write!(text, ", in steps of {step}");
    }
    text
}

/// The choices of a combo.
fn choices(socket: &SocketType) -> Option<&[Json]> {
    match socket {
        SocketType::Choices(choices) | SocketType::Combo(choices) => Some(choices),
        SocketType::Named(_) => None,
    }
}

/// A value as code in a table.
fn code(value: &Json) -> String {
    let text = match value {
        Json::String(text) if text.is_empty() => return "(empty)".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("`{}`", text.replace('|', "\\|").replace('\n', " "))
}

/// A text in a table.
fn cell(text: Option<&str>) -> String {
    text.unwrap_or_default()
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('\n', " ")
}
