//! Inputs and outputs that are lists.

use crate::{InputError, InputSpec, Plug, Slot, Socket};
use std::ops::{Deref, DerefMut};
use std::vec;

/// Several values at once.
///
/// As an input: a node with one such input is called once with all values, instead of once for each; its other inputs then get
/// the first of their values. As an output: what comes after is repeated for each value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

impl<T: Socket> Plug for List<T> {
    type Socket = T;

    fn declare(spec: &mut InputSpec) {
        spec.is_list = true;
    }

    fn read(name: &str, slot: Slot) -> Result<Self, InputError> {
        match slot {
            Slot::Many(slots) => slots
                .into_iter()
                .map(|slot| <T as Plug>::read(name, slot))
                .collect(),
            slot => Ok(Self(vec![<T as Plug>::read(name, slot)?])),
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Deref for List<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::{Inputs, Value};

    #[test]
    fn a_list_takes_all_values_and_its_neighbours_the_first() {
        let many = || Slot::Many(vec![Slot::Wire(Value::new(1_i64)), Slot::Literal(2.into())]);
        let mut inputs = Inputs::new().literal("single", 7);
        inputs.insert("all", many());
        inputs.insert("first", many());
        inputs.insert("none", Slot::Many(Vec::new()));
        inputs.insert("empty", Slot::Many(Vec::new()));
        assert_eq!(inputs.take::<List<i64>>("all").unwrap().0, [1, 2]);
        assert_eq!(inputs.take::<i64>("first").unwrap(), 1);
        assert_eq!(inputs.take::<List<i64>>("single").unwrap().0, [7]);
        assert_eq!(inputs.take::<List<i64>>("none").unwrap().len(), 0);
        assert_eq!(
            inputs.take::<i64>("empty"),
            Err(InputError::Empty {
                name: "empty".to_owned()
            })
        );
        assert!(
            inputs
                .take::<Option<List<i64>>>("absent")
                .unwrap()
                .is_none()
        );
    }
}
