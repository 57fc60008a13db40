//! Inputs that are computed only when the node asks for them.

use crate::{InputError, InputSpec, NodeError, Plug, Slot};

/// An input whose source runs only when [`Node::needs`](crate::Node::needs) asks for it.
#[derive(Debug, Clone)]
pub struct Lazy<P> {
    name: String,
    value: Option<P>,
}

impl<P> Lazy<P> {
    /// The value, if it is there.
    pub fn get(&self) -> Option<&P> {
        self.value.as_ref()
    }

    /// Whether the value is there: asked for and computed, or standing in the prompt.
    pub fn is_ready(&self) -> bool {
        self.value.is_some()
    }

    /// The value; an error if the node has not asked for it.
    pub fn take(self) -> Result<P, NodeError> {
        let Self { name, value } = self;
        value.ok_or_else(|| {
            NodeError::value(format_args!(
                "input {name}: expected a value, but the node has not asked for it"
            ))
        })
    }
}

impl<P: Plug> Plug for Lazy<P> {
    type Socket = P::Socket;

    fn declare(spec: &mut InputSpec) {
        P::declare(spec);
        spec.settings.insert("lazy".to_owned(), true.into());
    }

    fn read(name: &str, slot: Slot) -> Result<Self, InputError> {
        let value = match slot {
            Slot::Waiting => None,
            slot => Some(P::read(name, slot)?),
        };
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// The inputs for which a node asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    names: Vec<String>,
}

impl Needs {
    /// Asks for an input. One that is there needs no asking, so a node may ask for all that it will use.
    pub fn ask<P>(&mut self, input: &Lazy<P>) {
        if !input.is_ready() {
            self.ask_name(&input.name);
        }
    }

    /// Asks for the input called `name`, such as one of [`Undeclared`](crate::Undeclared).
    pub fn ask_name(&mut self, name: &str) {
        self.names.push(name.to_owned());
    }

    /// What was asked for.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Inputs, Socket};

    #[test]
    fn a_lazy_input_waits_until_it_is_asked_for() {
        let mut inputs = Inputs::new().literal("b", 5);
        inputs.insert("a", Slot::Waiting);
        let a: Lazy<i64> = inputs.take("a").expect("it waits");
        let b: Lazy<i64> = inputs.take("b").expect("it is there");
        let c: Option<Lazy<i64>> = inputs.take("c").expect("it is optional");
        assert!(c.is_none() && !a.is_ready());
        assert_eq!(b.get(), Some(&5));
        let mut needs = Needs::default();
        needs.ask(&a);
        needs.ask(&b);
        assert_eq!(needs.names(), ["a"]);
        assert!(a.take().is_err());
        assert!(<Lazy<i64> as Input>::read("d", None).is_err());
        assert_eq!(<<Lazy<i64> as Plug>::Socket as Socket>::TYPE, "INT");
    }
}
