//! Node classes made from recorded `/object_info` entries, which only have their declarations.

use comfy_graph::{
    InputSpec, Json, NodeClass, NodeError, NodeRegistry, NodeSchema, OutputSpec, SchemaBuilder,
    Section, SocketType,
};

/// The recorded entries.
pub(crate) fn recorded() -> Json {
    serde_json::from_str(include_str!("../fixtures/object_info.json")).expect("a fixture is JSON")
}

/// The recorded classes; `LoadImage` tests its file as the original does.
#[allow(
    dead_code,
    reason = "not every test that shares this module runs prompts"
)]
pub(crate) fn registry() -> NodeRegistry {
    let mut registry = NodeRegistry::new();
    for entry in recorded().as_object().expect("an object").values() {
        let schema = schema(entry);
        let class = NodeClass::new(
            "recorded",
            move |_| schema.clone(),
            |_, _| Err(NodeError::runtime("a declaration cannot run")),
        );
        let class = match class.id() {
            "LoadImage" => class.with_check(&["image"], |constants, _| {
                let image: Option<String> = constants.get("image");
                match image.as_deref() {
                    Some("example.png") => Ok(()),
                    other => Err(format!("Invalid image file: {}", other.unwrap_or_default())),
                }
            }),
            _ => class,
        };
        registry.register_class(class).expect("recorded once");
    }
    registry
}

/// The schema of which `entry` is the `/object_info` form.
pub(crate) fn schema(entry: &Json) -> NodeSchema {
    let text = |key: &str| entry[key].as_str().unwrap_or_default();
    let mut builder = SchemaBuilder::new(text("name"), text("description"), text("python_module"))
        .name(text("display_name"))
        .category(text("category"))
        .output_node(entry["output_node"] == true)
        .deprecated(entry["deprecated"] == true)
        .experimental(entry["experimental"] == true);
    for section in [Section::Required, Section::Optional, Section::Hidden] {
        let inputs = entry["input"].get(section.name()).and_then(Json::as_object);
        for (name, declaration) in inputs.into_iter().flatten() {
            let kind = declaration.get(0).unwrap_or(declaration);
            let mut input = InputSpec::dynamic(name, socket(kind), section);
            if let Some(settings) = declaration.get(1).and_then(Json::as_object) {
                input.settings.clone_from(settings);
                input.shows_settings = true;
            }
            builder = builder.input_spec(input);
        }
    }
    let names = entry["output_name"].as_array().expect("a list").iter();
    for (kind, name) in entry["output"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(names)
    {
        builder = builder.output(OutputSpec {
            socket: socket(kind),
            name: name.as_str().unwrap_or_default().to_owned(),
            tooltip: None,
            is_list: false,
        });
    }
    builder.build()
}

fn socket(kind: &Json) -> SocketType {
    match kind {
        Json::Array(choices) => SocketType::Choices(choices.clone()),
        _ => SocketType::Named(kind.as_str().unwrap_or_default().to_owned()),
    }
}
