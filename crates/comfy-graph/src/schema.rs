//! What is known of a node class, and its `/object_info` entry.

use crate::{Catalog, Json, OutputSlot, Section, Socket, hidden};
use comfy_api::object_info::{InputSections, NodeInfo};
use indexmap::IndexMap;
use serde_json::{Map, json};

/// The type of an input or output.
#[derive(Debug, Clone, PartialEq)]
pub enum SocketType {
    /// A name, such as `IMAGE`; `*` fits everything, `A,B` fits both.
    Named(String),
    /// A combo: the list of its choices is its type.
    Choices(Vec<Json>),
    /// A combo of ComfyUI's third node API: its type is `COMBO`, its choices are the setting `options`, and validation
    /// leaves them to the node.
    Combo(Vec<Json>),
}

impl SocketType {
    /// The type of a socket, with the choices of this moment.
    pub fn of<T: Socket>(catalog: &dyn Catalog) -> Self {
        match T::choices(catalog) {
            Some(choices) => Self::Choices(choices.into_iter().map(Json::from).collect()),
            None => Self::Named(T::TYPE.to_owned()),
        }
    }

    /// The form on the wire.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Named(name) => Json::from(name.as_str()),
            Self::Choices(choices) => Json::from(choices.clone()),
            Self::Combo(_) => Json::from("COMBO"),
        }
    }

    /// The name; `COMBO` for a list of choices.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(name) => name,
            Self::Choices(_) | Self::Combo(_) => "COMBO",
        }
    }
}

/// One input of a node class.
#[derive(Debug, Clone, PartialEq)]
pub struct InputSpec {
    /// The name in prompts.
    pub name: String,
    /// What fits.
    pub socket: SocketType,
    /// Required, optional or hidden.
    pub section: Section,
    /// Settings of the widget: `default`, `min`, `max`, `step`, `tooltip` and so on.
    pub settings: Map<String, Json>,
    /// Whether clients see a settings object though it is empty.
    pub shows_settings: bool,
    /// Whether the node takes all values of it at once.
    pub is_list: bool,
    /// The list of the catalog that its choices come from.
    pub list: Option<&'static str>,
}

impl InputSpec {
    /// `[type, settings]`, as errors quote it.
    pub fn config(&self) -> Json {
        json!([self.socket.to_json(), self.settings])
    }

    /// Whether the engine gives it, whatever a prompt says.
    pub fn is_filled_in(&self) -> bool {
        self.section == Section::Hidden && hidden::FILLED_IN.contains(&self.socket.name())
    }

    /// Turns a list of choices into a combo of the third node API.
    pub(crate) fn make_combo(&mut self) {
        if let SocketType::Choices(choices) = &mut self.socket {
            let choices = std::mem::take(choices);
            self.settings
                .insert("options".to_owned(), Json::from(choices.clone()));
            self.socket = SocketType::Combo(choices);
        }
    }

    /// Whether its source only runs when the node asks for it.
    pub fn is_lazy(&self) -> bool {
        self.settings.get("lazy") == Some(&Json::Bool(true))
    }

    /// Whether the node gets the link itself instead of the value.
    pub fn is_raw_link(&self) -> bool {
        self.settings.get("rawLink") == Some(&Json::Bool(true))
    }

    /// What the engine fills in has no settings, and brackets only in classes of the third node API.
    fn to_object_info(&self, v3: bool) -> Json {
        match self.section {
            Section::Hidden if self.is_filled_in() && v3 => json!([self.socket.to_json()]),
            Section::Hidden if self.is_filled_in() => self.socket.to_json(),
            _ if self.settings.is_empty() && !self.shows_settings => {
                json!([self.socket.to_json()])
            }
            _ => self.config(),
        }
    }
}

/// One output of a node class.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputSpec {
    /// What it is.
    pub socket: SocketType,
    /// The label; the name of the type when none was given.
    pub name: String,
    /// A help text.
    pub tooltip: Option<String>,
    /// Whether it is a list, over which later nodes are repeated.
    pub is_list: bool,
}

impl OutputSpec {
    /// An output of a socket's type, labelled by it.
    pub fn of<S: OutputSlot>(catalog: &dyn Catalog) -> Self {
        Self {
            socket: SocketType::of::<S::Socket>(catalog),
            name: S::Socket::TYPE.to_owned(),
            tooltip: None,
            is_list: S::IS_LIST,
        }
    }

    /// With other types on the wire: `A,B` is either, `*` any.
    #[must_use]
    pub fn gives(mut self, types: &str) -> Self {
        self.socket = SocketType::Named(types.to_owned());
        self
    }

    /// With a label.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// With a help text.
    #[must_use]
    pub fn with_tooltip(mut self, tooltip: impl Into<String>) -> Self {
        self.tooltip = Some(tooltip.into());
        self
    }
}

/// All that is known of a node class.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts that clients see one by one"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSchema {
    /// The class name used in prompts.
    pub id: String,
    /// The name shown to people, where it is told; see [`NodeSchema::display_name`].
    pub name: Option<String>,
    /// The menu path.
    pub category: String,
    /// What the node does.
    pub description: String,
    /// The module that declares it, such as `nodes`.
    pub module: String,
    /// Inputs in the order of their declaration.
    pub inputs: Vec<InputSpec>,
    /// Outputs in slot order.
    pub outputs: Vec<OutputSpec>,
    /// Whether running the node is a goal in itself.
    pub output_node: bool,
    /// Whether a result may only be reused by the node of the same id.
    pub not_idempotent: bool,
    /// Whether newer workflows should use another node.
    pub deprecated: bool,
    /// Whether the node may still change.
    pub experimental: bool,
    /// Whether the node calls a paid service.
    pub api_node: bool,
    /// Whether the class is one of ComfyUI's third node API, which looks a little different on the wire.
    pub v3: bool,
}

impl NodeSchema {
    /// The name shown to people: the class name unless another is told.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// The input called `name`.
    pub fn input(&self, name: &str) -> Option<&InputSpec> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// Whether the node is called once with all values instead of once for each.
    pub fn takes_lists(&self) -> bool {
        self.inputs.iter().any(|input| input.is_list)
    }

    /// The input that takes all links to inputs that are not declared.
    pub fn undeclared(&self) -> Option<&InputSpec> {
        let mut inputs = self.inputs.iter();
        inputs.find(|input| input.section == Section::Undeclared)
    }

    /// Whether results depend on the id of the node.
    pub fn is_bound_to_id(&self) -> bool {
        let asks_for_id = |input: &InputSpec| {
            input.section == Section::Hidden && input.socket.name() == "UNIQUE_ID"
        };
        self.not_idempotent || self.inputs.iter().any(asks_for_id)
    }

    /// The entry in `/object_info`.
    pub fn to_object_info(&self) -> NodeInfo {
        let mut input = InputSections::default();
        let mut input_order = IndexMap::new();
        // Clients rely on the section being there.
        input_order.insert(Section::Required.name().to_owned(), Vec::new());
        for section in [Section::Required, Section::Optional, Section::Hidden] {
            let entries = match section {
                Section::Required => &mut input.required,
                Section::Optional => &mut input.optional,
                Section::Hidden | Section::Undeclared => &mut input.hidden,
            };
            for spec in self.inputs.iter().filter(|spec| spec.section == section) {
                entries.insert(spec.name.clone(), spec.to_object_info(self.v3));
                input_order
                    .entry(section.name().to_owned())
                    .or_insert_with(Vec::new)
                    .push(spec.name.clone());
            }
        }
        let outputs = || self.outputs.iter();
        let has_tooltips = outputs().any(|output| output.tooltip.is_some());
        NodeInfo {
            input,
            input_order,
            output: outputs().map(|output| output.socket.to_json()).collect(),
            output_is_list: outputs().map(|output| output.is_list).collect(),
            output_name: outputs().map(|output| output.name.clone()).collect(),
            name: self.id.clone(),
            // Classes of the third node API have no name of their own unless they say one.
            display_name: (!self.v3 || self.name.is_some()).then(|| self.display_name().to_owned()),
            description: self.description.clone(),
            python_module: self.module.clone(),
            category: self.category.clone(),
            output_node: self.output_node,
            output_tooltips: has_tooltips
                .then(|| outputs().map(|output| output.tooltip.clone()).collect()),
            deprecated: self.flag(self.deprecated),
            experimental: self.flag(self.experimental),
            api_node: self.flag(self.api_node),
        }
    }

    /// A flag on the wire, which older classes only mention when it is set.
    fn flag(&self, is_set: bool) -> Option<bool> {
        (is_set || self.v3).then_some(is_set)
    }
}
