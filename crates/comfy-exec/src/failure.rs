//! How a node's failure is told to clients.

use std::any::Any;

use comfy_graph::{InputError, NodeError};

/// Why a node did not finish.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    /// Somebody asked to stop.
    Interrupted,
    /// It failed.
    Failed(NodeFailure),
}

/// A failure in the words of `execution_error`.
#[derive(Debug, PartialEq)]
pub(crate) struct NodeFailure {
    /// `exception_type`.
    pub(crate) kind: String,
    /// `exception_message` without its tips.
    pub(crate) message: String,
    /// Whether freeing memory may help.
    pub(crate) out_of_memory: bool,
}

/// What to do about a lack of memory.
const MEMORY_TIPS: &str = "The device has no more memory for this. A smaller picture or batch needs less; \
    if this workflow ran before, something in it or another program now takes more.";

impl NodeFailure {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            message: message.into(),
            out_of_memory: false,
        }
    }

    /// A node that panicked: a fault of the node, which costs only its prompt.
    pub(crate) fn panicked(payload: &(dyn Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Self::new("RuntimeError", format!("the node panicked: {text}"))
    }

    /// The message as clients get it: a newline, then tips if there are any.
    pub(crate) fn exception_message(&self) -> String {
        let tips = if self.out_of_memory { MEMORY_TIPS } else { "" };
        format!("{}\n{tips}", self.message)
    }

    /// Where it happened: lines that name the node and its class.
    pub(crate) fn traceback(&self, node_id: &str, class: &str, owner: &str) -> Vec<String> {
        vec![
            format!("  in node {node_id} of class {class}\n"),
            format!("    implemented by {owner}\n"),
            format!("  {}: {}\n", self.kind, self.message),
        ]
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::Failed(match error {
            NodeError::Interrupted => return Self::Interrupted,
            NodeError::OutOfMemory(message) => NodeFailure {
                // The name that clients of ComfyUI look for.
                kind: "torch.OutOfMemoryError".to_owned(),
                message,
                out_of_memory: true,
            },
            NodeError::Failed { kind, message } => NodeFailure {
                kind,
                message,
                out_of_memory: false,
            },
            NodeError::Input(error) => NodeFailure::new(kind_of(&error), error.to_string()),
            error => NodeFailure::new("RuntimeError", error.to_string()),
        })
    }
}

/// What Python raises for such an input: an object of a wrong class lacks the attributes that are asked of it.
fn kind_of(error: &InputError) -> &'static str {
    match error {
        InputError::Unfit { expected, .. }
            if !["INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"].contains(&expected.as_str()) =>
        {
            "AttributeError"
        }
        InputError::Empty { .. } => "IndexError",
        _ => "TypeError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(error: NodeError) -> NodeFailure {
        match Failure::from(error) {
            Failure::Failed(failure) => failure,
            Failure::Interrupted => panic!("a failure was expected"),
        }
    }

    #[test]
    fn messages_end_in_a_newline_and_tips_follow() {
        let plain = failure(NodeError::value("bad"));
        assert_eq!(
            (plain.kind.as_str(), plain.exception_message().as_str()),
            ("ValueError", "bad\n")
        );
        let memory = failure(NodeError::OutOfMemory("4 GiB wanted".to_owned()));
        assert_eq!(memory.kind, "torch.OutOfMemoryError");
        assert!(
            memory.out_of_memory
                && memory
                    .exception_message()
                    .starts_with("4 GiB wanted\nThe device")
        );
    }

    #[test]
    fn unfit_inputs_have_pythons_names() {
        let unfit = |expected: &str| {
            failure(NodeError::Input(InputError::Unfit {
                name: "model".to_owned(),
                expected: expected.to_owned(),
                found: "\"hello\"".to_owned(),
            }))
        };
        assert_eq!(unfit("MODEL").kind, "AttributeError");
        assert_eq!(unfit("INT").kind, "TypeError");
    }

    #[test]
    fn interruption_is_no_failure() {
        assert_eq!(Failure::from(NodeError::Interrupted), Failure::Interrupted);
    }

    #[test]
    fn a_panic_keeps_its_message() {
        let caught = |work: fn()| std::panic::catch_unwind(work).expect_err("it panics");
        let payload = caught(|| panic!("number {}", 7));
        assert_eq!(
            NodeFailure::panicked(&*payload).message,
            "the node panicked: number 7"
        );
        let payload = caught(|| std::panic::panic_any(7_u8));
        assert_eq!(
            NodeFailure::panicked(&*payload).message,
            "the node panicked: no message"
        );
    }
}
