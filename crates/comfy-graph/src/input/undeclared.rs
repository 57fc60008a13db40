//! Inputs that a node takes without declaring them.

use crate::{Input, InputError, Section, Slot, Value};
use indexmap::IndexMap;

/// The links that a prompt gives beyond the declared inputs, for nodes that take any number of them.
///
/// Without a field of this type, an undeclared link is an error when the node runs. Values that stand in the prompt under
/// names that are not declared are always ignored.
#[derive(Debug, Clone, Default)]
pub struct Undeclared {
    slots: IndexMap<String, Slot>,
}

impl Undeclared {
    /// What came along the link to the input called `name`; `None` when there is no such link.
    pub fn get<T: Input>(&self, name: &str) -> Result<Option<T>, InputError> {
        let slot = self.slots.get(name);
        slot.map(|slot| T::read(name, Some(slot.clone())))
            .transpose()
    }

    /// The names in the order of the prompt.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }
}

impl Input for Undeclared {
    type Socket = Value;

    const SECTION: Section = Section::Undeclared;

    fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError> {
        match slot {
            None => Ok(Self::default()),
            Some(Slot::Undeclared(slots)) => Ok(Self { slots }),
            Some(slot) => Err(InputError::Unfit {
                name: name.into(),
                expected: "undeclared inputs".into(),
                found: slot.describe(),
            }),
        }
    }
}
