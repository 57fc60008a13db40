//! The inputs of one node in one run.

mod lazy;
mod list;
mod raw_link;
mod undeclared;

pub use lazy::{Lazy, Needs};
pub use list::List;
pub use raw_link::RawLink;
pub use undeclared::Undeclared;

use crate::{Graph, InputError, InputSpec, Json, NodeOutput, Socket, Value};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;

/// Where an input is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    /// A prompt must give it.
    Required,
    /// A prompt may give it.
    Optional,
    /// No client sees it: the engine gives it, or a node that adds this one to the graph.
    Hidden,
    /// Not one input, but all links to inputs that are not declared.
    Undeclared,
}

impl Section {
    /// The name in `/object_info`, which has nothing about undeclared inputs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Hidden => "hidden",
            Self::Undeclared => "undeclared",
        }
    }
}

/// What the engine found for an input.
#[derive(Debug, Clone)]
pub enum Slot {
    /// The output of another node.
    Wire(Value),
    /// A value that stands in the prompt.
    Literal(Json),
    /// A value that the engine adds, shared by all nodes that ask for it.
    Hidden(Arc<Json>),
    /// The graph as it is now.
    Graph(Arc<Graph>),
    /// All values at once, for a node that takes lists.
    Many(Vec<Slot>),
    /// A link whose source has not run.
    Waiting,
    /// The link itself, for a node that wants no value.
    Link(NodeOutput),
    /// The links to inputs that are not declared.
    Undeclared(IndexMap<String, Slot>),
}

/// A type that a field of a node may have.
///
/// Every [`Plug`] is a required input and an `Option` of one is optional. [`PromptJson`](crate::PromptJson),
/// [`ExtraPngInfo`](crate::ExtraPngInfo), [`UniqueId`](crate::UniqueId), [`DynamicPrompt`](crate::DynamicPrompt),
/// [`AuthToken`](crate::AuthToken) and [`ApiKey`](crate::ApiKey) are hidden inputs, and [`Undeclared`] is all the rest.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an input of a node",
    label = "expected a type that implements `Socket`, an `Option` of one, or a hidden input"
)]
pub trait Input: Sized {
    /// What it plugs into.
    type Socket: Socket;

    /// Where it is declared.
    const SECTION: Section;

    /// Adds what the type says about the input to its declaration.
    fn declare(spec: &mut InputSpec) {
        let _ = spec;
    }

    /// Reads it.
    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError>;
}

/// How an input takes what comes: a [`Socket`] takes the value, [`Lazy`] only on demand, [`List`] all values at once,
/// [`RawLink`] the link instead of the value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an input of a node",
    label = "expected a type that implements `Socket`, or a `Lazy`, `List` or `RawLink` of one"
)]
pub trait Plug: Sized {
    /// What it plugs into.
    type Socket: Socket;

    /// Adds what the type says about the input to its declaration.
    fn declare(spec: &mut InputSpec) {
        let _ = spec;
    }

    /// Reads what is there.
    fn read(name: &str, slot: Slot) -> Result<Self, InputError>;
}

impl<T: Socket> Plug for T {
    type Socket = T;

    fn read(name: &str, slot: Slot) -> Result<Self, InputError> {
        let slot = slot.single(name)?;
        let value = match &slot {
            Slot::Wire(value) => value.get(),
            Slot::Literal(json) => T::from_json(json),
            Slot::Hidden(json) => T::from_json(json),
            _ => None,
        };
        value.ok_or_else(|| InputError::Unfit {
            name: name.into(),
            expected: T::TYPE.into(),
            found: slot.describe(),
        })
    }
}

impl<P: Plug> Input for P {
    type Socket = P::Socket;

    const SECTION: Section = Section::Required;

    fn declare(spec: &mut InputSpec) {
        P::declare(spec);
    }

    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError> {
        let slot = slot.ok_or_else(|| InputError::Missing {
            name: name.into(),
            expected: <P::Socket as Socket>::TYPE.into(),
        })?;
        <P as Plug>::read(name, slot)
    }
}

impl<P: Plug> Input for Option<P> {
    type Socket = P::Socket;

    const SECTION: Section = Section::Optional;

    fn declare(spec: &mut InputSpec) {
        P::declare(spec);
    }

    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError> {
        match slot {
            None => Ok(None),
            // A null is nothing, but for inputs that take anything.
            Some(slot) if slot.is_null() => Ok(P::read(name, slot).ok()),
            Some(slot) => P::read(name, slot).map(Some),
        }
    }
}

impl Slot {
    /// Whether it is a single null.
    fn is_null(&self) -> bool {
        match self {
            Self::Wire(value) => value.is_null(),
            Self::Literal(json) => json.is_null(),
            _ => false,
        }
    }

    /// The value, or the first one of several.
    pub(crate) fn single(self, name: &str) -> Result<Self, InputError> {
        match self {
            Self::Many(slots) => slots
                .into_iter()
                .next()
                .ok_or_else(|| InputError::Empty { name: name.into() }),
            slot => Ok(slot),
        }
    }

    /// A short description for messages.
    fn describe(&self) -> String {
        match self {
            Self::Wire(value) => match value.to_json() {
                Some(json) => format!("{} {}", value.socket(), shortened(&json)),
                None => value.socket().to_owned(),
            },
            Self::Literal(json) => shortened(json),
            Self::Hidden(json) => shortened(json),
            Self::Graph(_) => "the graph".to_owned(),
            Self::Many(slots) => format!("a list of {}", slots.len()),
            Self::Waiting => "a node that has not run".to_owned(),
            Self::Link(link) => format!("a link to node {}", link.node),
            Self::Undeclared(slots) => format!("{} undeclared inputs", slots.len()),
        }
    }
}

fn shortened(json: &Json) -> String {
    const LONGEST: usize = 100;
    let text = json.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The inputs of one node in one run, by name.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    slots: HashMap<String, Slot>,
}

impl Inputs {
    /// No inputs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value that comes along a wire.
    #[must_use]
    pub fn wire<T: Socket>(self, name: &str, value: T) -> Self {
        self.with(name, Slot::Wire(Value::new(value)))
    }

    /// Adds a widget value.
    #[must_use]
    pub fn literal(self, name: &str, value: impl Into<Json>) -> Self {
        self.with(name, Slot::Literal(value.into()))
    }

    /// Adds a hidden value.
    #[must_use]
    pub fn hidden(self, name: &str, value: impl Into<Json>) -> Self {
        self.with(name, Slot::Hidden(Arc::new(value.into())))
    }

    fn with(mut self, name: &str, slot: Slot) -> Self {
        self.insert(name, slot);
        self
    }

    /// Adds or replaces an input.
    pub fn insert(&mut self, name: impl Into<String>, slot: Slot) {
        self.slots.insert(name.into(), slot);
    }

    /// Whether the input was given.
    pub fn contains(&self, name: &str) -> bool {
        self.slots.contains_key(name)
    }

    /// Looks at an input without taking it.
    pub fn get(&self, name: &str) -> Option<&Slot> {
        self.slots.get(name)
    }

    /// Takes an input out; an input can be taken once.
    pub fn take<T: Input>(&mut self, name: &str) -> Result<T, InputError> {
        let slot = self.slots.remove(name);
        T::read(name, slot)
    }

    /// What is left, in the order of names; empty after a node took all that it declares.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.slots.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Moves the inputs that `specs` does not declare to the one that takes undeclared inputs, if there is one.
    pub(crate) fn collect_undeclared(&mut self, specs: &[InputSpec]) {
        let Some(rest) = specs
            .iter()
            .find(|spec| spec.section == Section::Undeclared)
        else {
            return;
        };
        let is_declared = |name: &str| specs.iter().any(|spec| spec.name == name);
        let mut undeclared: Vec<_> = self
            .slots
            .extract_if(|name, _| !is_declared(name))
            .collect();
        undeclared.sort_by(|(left, _), (right, _)| left.cmp(right));
        self.insert(
            &rest.name,
            Slot::Undeclared(undeclared.into_iter().collect()),
        );
    }
}
