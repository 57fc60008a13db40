//! Declares schemas; the derive macros write these calls.

use crate::{
    Catalog, Input, InputSpec, Json, NodeSchema, Number, OutputSpec, Section, Socket, SocketType,
    Widget,
};
use serde_json::Map;
use std::marker::PhantomData;

/// The type of settings of an input.
type Setting<T> = <<T as Input>::Socket as Widget>::Setting;

/// Declares one input; which settings exist depends on its type.
#[derive(Debug)]
pub struct InputBuilder<T> {
    spec: InputSpec,
    input: PhantomData<fn() -> T>,
}

impl<T: Input> InputBuilder<T> {
    /// An input called `name` in prompts.
    #[must_use]
    pub fn new(name: &str, catalog: &dyn Catalog) -> Self {
        let mut spec = InputSpec {
            socket: SocketType::of::<T::Socket>(catalog),
            list: T::Socket::LIST,
            ..InputSpec::dynamic(name, SocketType::Named(String::new()), T::SECTION)
        };
        T::declare(&mut spec);
        Self {
            spec,
            input: PhantomData,
        }
    }

    /// Any setting that clients may know, such as `display`.
    #[must_use]
    pub fn setting(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.spec.settings.insert(key.to_owned(), value.into());
        self
    }

    /// A help text.
    #[must_use]
    pub fn tooltip(self, text: &str) -> Self {
        self.setting("tooltip", text)
    }

    /// The value of the widget in a new node. A prompt must give a value all the same.
    #[must_use]
    pub fn default(self, value: Setting<T>) -> Self
    where
        T::Socket: Widget,
    {
        self.setting("default", value)
    }

    /// Shows a button to upload a picture.
    #[must_use]
    pub fn image_upload(self, shown: bool) -> Self {
        self.setting("image_upload", shown)
    }

    /// Hides the input until a person asks for more.
    #[must_use]
    pub fn advanced(self, advanced: bool) -> Self {
        self.setting("advanced", advanced)
    }

    /// Takes other types on the wire than that of its Rust type: `A,B` takes either, `*` any.
    #[must_use]
    pub fn accepts(mut self, types: &str) -> Self {
        self.spec.socket = SocketType::Named(types.to_owned());
        self
    }

    /// Goes on the wire as `["COMBO", {"options": …}]`; call it after the choices are declared.
    #[must_use]
    pub fn combo(mut self, combo: bool) -> Self {
        if combo {
            self.spec.make_combo();
        }
        self
    }

    /// Shows clients a settings object though there is nothing in it.
    #[must_use]
    pub fn shows_settings(mut self, shows: bool) -> Self {
        self.spec.shows_settings = shows;
        self
    }

    /// Hides the input from people: a prompt may give it, and mostly a node that adds this one to the graph does.
    #[must_use]
    pub fn hidden(mut self, hidden: bool) -> Self {
        if hidden {
            self.spec.section = Section::Hidden;
        }
        self
    }

    /// Offers a socket instead of a widget.
    #[must_use]
    pub fn force_input(self, forced: bool) -> Self {
        self.setting("forceInput", forced)
    }
}

impl<T: Input> InputBuilder<T>
where
    T::Socket: Number,
{
    /// The least value accepted.
    #[must_use]
    pub fn min(self, value: Setting<T>) -> Self {
        self.setting("min", value)
    }

    /// The greatest value accepted.
    #[must_use]
    pub fn max(self, value: Setting<T>) -> Self {
        self.setting("max", value)
    }

    /// The step of the widget; other values are accepted too.
    #[must_use]
    pub fn step(self, value: Setting<T>) -> Self {
        self.setting("step", value)
    }

    /// To what the widget rounds; `false` switches rounding off.
    #[must_use]
    pub fn round(self, value: impl Into<Json>) -> Self {
        self.setting("round", value)
    }

    /// Lets the widget choose another value after each run: `true`, or the mode to begin with, such as `"randomize"`.
    #[must_use]
    pub fn control_after_generate(self, value: impl Into<Json>) -> Self {
        self.setting("control_after_generate", value)
    }

    /// How the widget looks: `"number"`, `"slider"` or `"color"`.
    #[must_use]
    pub fn display(self, value: &str) -> Self {
        self.setting("display", value)
    }
}

impl<T: Input<Socket = String>> InputBuilder<T> {
    /// Offers fixed choices.
    #[must_use]
    pub fn options<S: Into<String>>(mut self, options: impl IntoIterator<Item = S>) -> Self {
        let choices = options.into_iter().map(|option| Json::from(option.into()));
        self.spec.socket = SocketType::Choices(choices.collect());
        self
    }

    /// Whether the widget has several lines.
    #[must_use]
    pub fn multiline(self, multiline: bool) -> Self {
        self.setting("multiline", multiline)
    }

    /// Whether clients replace `{a|b}` by one of the choices before they send a prompt.
    #[must_use]
    pub fn dynamic_prompts(self, dynamic: bool) -> Self {
        self.setting("dynamicPrompts", dynamic)
    }
}

/// Declares a node class.
#[derive(Debug)]
pub struct SchemaBuilder {
    schema: NodeSchema,
}

impl SchemaBuilder {
    /// A node class called `id` in prompts, declared in `module`.
    #[must_use]
    pub fn new(id: &str, description: &str, module: &str) -> Self {
        Self {
            schema: NodeSchema {
                id: id.to_owned(),
                name: None,
                category: String::new(),
                description: description.to_owned(),
                module: module.to_owned(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                output_node: false,
                not_idempotent: false,
                deprecated: false,
                experimental: false,
                api_node: false,
                v3: false,
            },
        }
    }

    /// The name shown to people.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.schema.name = Some(name.to_owned());
        self
    }

    /// The menu path, such as `image/upscaling`.
    #[must_use]
    pub fn category(mut self, category: &str) -> Self {
        category.clone_into(&mut self.schema.category);
        self
    }

    /// The module that declares the node, if not the Rust module; the built-in nodes name those of ComfyUI.
    #[must_use]
    pub fn module(mut self, module: &str) -> Self {
        module.clone_into(&mut self.schema.module);
        self
    }

    /// Whether running the node is a goal in itself, as saving a picture is.
    #[must_use]
    pub fn output_node(mut self, output_node: bool) -> Self {
        self.schema.output_node = output_node;
        self
    }

    /// Whether a result may only be reused by the node of the same id.
    #[must_use]
    pub fn not_idempotent(mut self, not_idempotent: bool) -> Self {
        self.schema.not_idempotent = not_idempotent;
        self
    }

    /// Whether newer workflows should use another node.
    #[must_use]
    pub fn deprecated(mut self, deprecated: bool) -> Self {
        self.schema.deprecated = deprecated;
        self
    }

    /// Whether the node may still change.
    #[must_use]
    pub fn experimental(mut self, experimental: bool) -> Self {
        self.schema.experimental = experimental;
        self
    }

    /// Whether the node calls a paid service.
    #[must_use]
    pub fn api_node(mut self, api_node: bool) -> Self {
        self.schema.api_node = api_node;
        self
    }

    /// Whether the class looks on the wire like those of ComfyUI's third node API: choices as a setting of a `COMBO`, which
    /// validation leaves to the node, and all settings and flags written out.
    #[must_use]
    pub fn v3(mut self, v3: bool) -> Self {
        self.schema.v3 = v3;
        self
    }

    /// Adds an input.
    #[must_use]
    pub fn input<T>(mut self, input: InputBuilder<T>) -> Self {
        self.schema.inputs.push(input.spec);
        self
    }

    /// Adds an input whose type is only known at run time.
    #[must_use]
    pub fn input_spec(mut self, input: InputSpec) -> Self {
        self.schema.inputs.push(input);
        self
    }

    /// Adds an output; nodes that implement [`Node`](crate::Node) leave that to the registry.
    #[must_use]
    pub fn output(mut self, output: OutputSpec) -> Self {
        self.schema.outputs.push(output);
        self
    }

    /// Replaces the outputs.
    #[must_use]
    pub fn outputs(mut self, outputs: Vec<OutputSpec>) -> Self {
        self.schema.outputs = outputs;
        self
    }

    /// The schema.
    #[must_use]
    pub fn build(mut self) -> NodeSchema {
        if self.schema.v3 {
            for input in &mut self.schema.inputs {
                input.shows_settings = input.section != Section::Hidden;
                if input.shows_settings && input.socket.name() == "STRING" {
                    input.settings.entry("multiline").or_insert(false.into());
                }
                if matches!(input.socket, SocketType::Choices(_)) {
                    input
                        .settings
                        .insert("multiselect".to_owned(), false.into());
                    input.make_combo();
                }
            }
        }
        self.schema
    }
}

impl<T: Input> From<InputBuilder<T>> for InputSpec {
    fn from(builder: InputBuilder<T>) -> Self {
        builder.spec
    }
}

impl InputSpec {
    /// An input whose type is only known at run time.
    pub fn dynamic(name: &str, socket: SocketType, section: Section) -> Self {
        Self {
            name: name.to_owned(),
            socket,
            section,
            settings: Map::new(),
            shows_settings: false,
            is_list: false,
            list: None,
        }
    }
}

/// Combos of files whose list clients fetch by themselves.
impl<T: Input> InputBuilder<T> {
    /// The directory that uploads for this input go to and that its names are looked for in, such as `"output"`.
    #[must_use]
    pub fn image_folder(self, folder: &str) -> Self {
        self.setting("image_folder", folder)
    }

    /// The route that gives the list, and how clients use it.
    #[must_use]
    pub fn remote(self, remote: Json) -> Self {
        self.setting("remote", remote)
    }
}
