//! Inputs that are links instead of values.

use crate::{InputError, InputSpec, NodeOutput, Plug, PromptInput, Slot, Socket};
use std::marker::PhantomData;

/// The link at an input of the wire type of `T`, instead of the value that would come along it. Its source need not run.
#[derive(Debug, Clone)]
pub struct RawLink<T> {
    input: PromptInput,
    socket: PhantomData<fn() -> T>,
}

impl<T> RawLink<T> {
    /// The link; `None` when the prompt has a constant there.
    pub fn link(&self) -> Option<&NodeOutput> {
        self.input.link()
    }

    /// What the prompt has there, to be given to a node of a [`Subgraph`](crate::Subgraph).
    pub fn into_input(self) -> PromptInput {
        self.input
    }
}

impl<T: Socket> Plug for RawLink<T> {
    type Socket = T;

    fn declare(spec: &mut InputSpec) {
        spec.settings.insert("rawLink".to_owned(), true.into());
    }

    fn read(name: &str, slot: Slot) -> Result<Self, InputError> {
        let input = match slot.single(name)? {
            Slot::Link(link) => PromptInput::Link(link),
            Slot::Literal(json) => PromptInput::from(json),
            Slot::Wire(value) => PromptInput::Value(value),
            slot => {
                return Err(InputError::Unfit {
                    name: name.into(),
                    expected: "a link".into(),
                    found: slot.describe(),
                });
            }
        };
        Ok(Self {
            input,
            socket: PhantomData,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Inputs;
    use serde_json::json;

    #[test]
    fn a_raw_link_is_a_link_or_a_constant() {
        let mut inputs = Inputs::new()
            .literal("link", json!(["4", 1]))
            .literal("constant", 7);
        let link: RawLink<i64> = inputs.take("link").expect("a link");
        assert_eq!(
            link.link().map(|link| (link.node.as_str(), link.slot)),
            Some(("4", 1))
        );
        let constant: RawLink<i64> = inputs.take("constant").expect("a constant");
        assert!(constant.link().is_none());
        assert!(matches!(constant.into_input(), PromptInput::Constant(json) if json == 7));
    }
}
