//! The inputs of one node in one run.

use crate::{InputError, Json, Socket, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Where an input is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Section {
    /// A prompt must give it.
    Required,
    /// A prompt may give it.
    Optional,
    /// The engine gives it; a prompt cannot.
    Hidden,
}

impl Section {
    /// The name in `/object_info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
            Self::Hidden => "hidden",
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
}

/// A type that a field of a node may have.
///
/// Every [`Socket`] is a required input, an `Option` of one is optional, and
/// [`PromptJson`](crate::PromptJson), [`ExtraPngInfo`](crate::ExtraPngInfo) and [`UniqueId`](crate::UniqueId) are hidden.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an input of a node",
    label = "expected a type that implements `Socket`, an `Option` of one, or a hidden input"
)]
pub trait Input: Sized {
    /// What it plugs into.
    type Socket: Socket;

    /// Where it is declared.
    const SECTION: Section;

    /// Reads it.
    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError>;
}

impl<T: Socket> Input for T {
    type Socket = T;

    const SECTION: Section = Section::Required;

    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError> {
        let slot = slot.ok_or_else(|| InputError::Missing {
            name: name.into(),
            expected: T::TYPE.into(),
        })?;
        let value = match &slot {
            Slot::Wire(value) => value.get(),
            Slot::Literal(json) => T::from_json(json),
            Slot::Hidden(json) => T::from_json(json),
        };
        value.ok_or_else(|| InputError::Unfit {
            name: name.into(),
            expected: T::TYPE.into(),
            found: slot.describe(),
        })
    }
}

impl<T: Socket> Input for Option<T> {
    type Socket = T;

    const SECTION: Section = Section::Optional;

    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError> {
        slot.map(|slot| T::read(name, Some(slot))).transpose()
    }
}

impl Slot {
    /// A short description for messages.
    fn describe(&self) -> String {
        match self {
            Self::Wire(value) => match value.to_json() {
                Some(json) => format!("{} {}", value.socket(), shortened(&json)),
                None => value.socket().to_owned(),
            },
            Self::Literal(json) => shortened(json),
            Self::Hidden(json) => shortened(json),
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
}
