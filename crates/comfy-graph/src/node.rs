//! What a node author writes.

use crate::{
    Catalog, InputError, Inputs, Json, Link, Needs, NodeContext, NodeError, PromptInput, Returns,
    SchemaBuilder, Services, Socket, SocketType,
};
use indexmap::IndexMap;
use serde_json::Map;

/// What clients see of a node class, and how inputs become the node. Derived from a struct whose fields are the inputs.
///
/// ```
/// use comfy_graph::NodeSpec;
///
/// /// Repeats a text.
/// #[derive(NodeSpec)]
/// #[node(id = "RepeatText", name = "Repeat Text", category = "text")]
/// struct RepeatText {
///     /// The text to repeat.
///     #[input(multiline)]
///     text: String,
///     /// How often it appears.
///     #[input(default = 2, min = 1, max = 100)]
///     times: u32,
/// }
/// ```
pub trait NodeSpec: Sized {
    /// The class name used in prompts.
    const ID: &'static str;

    /// The schema without outputs, which the registry adds from [`Node::Output`].
    fn schema(catalog: &dyn Catalog) -> SchemaBuilder;

    /// Builds the node from inputs that passed validation.
    fn from_inputs(inputs: &mut Inputs) -> Result<Self, InputError>;
}

/// A node class; `self` holds the inputs of one run.
pub trait Node: NodeSpec + 'static {
    /// What the node gives: [`Outputs`](crate::Outputs), [`Expand`](crate::Expand), or [`Later`](crate::Later) of either,
    /// or [`Finish`](crate::Finish).
    type Output: Returns;

    /// Whether [`fingerprint`](Self::fingerprint) is worth asking.
    const HAS_FINGERPRINT: bool = false;

    /// Inputs that [`check`](Self::check) looks at, or `&["*"]` for all; the tests of range and choice are skipped for them.
    const CHECKS: &'static [&'static str] = &[];

    /// Whether [`check`](Self::check) judges what is linked to the inputs by itself, so that any type may be.
    const CHECKS_TYPES: bool = false;

    /// Does the work.
    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError>;

    /// Asks for those of the [`Lazy`](crate::Lazy) inputs that this run will use.
    ///
    /// The question is put again when they have been computed, and the node runs when nothing more is asked for.
    fn needs(&self, needs: &mut Needs) {
        let _ = needs;
    }

    /// What the result depends on besides the inputs, such as the hash of a file.
    ///
    /// A result is reused as long as this stays equal. [`python_json::nan`](crate::python_json::nan) equals nothing, so
    /// that the node always runs; so does an error. Only values that stand in the prompt are known here.
    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        let _ = (constants, services);
        Ok(Json::Bool(false))
    }

    /// A test of the inputs named in [`CHECKS`](Self::CHECKS) before anything runs; the error is shown at these inputs.
    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        let _ = (constants, services);
        Ok(())
    }
}

/// The inputs of a node that stand in the prompt; those that come along wires are not known yet.
#[derive(Debug, Clone, Copy)]
pub struct Constants<'a> {
    inputs: Source<'a>,
    linked_types: Option<&'a IndexMap<String, SocketType>>,
}

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Json(&'a Map<String, Json>),
    Prompt(&'a IndexMap<String, PromptInput>),
}

impl<'a> Constants<'a> {
    /// Looks at the `inputs` of a node.
    pub fn new(inputs: &'a Map<String, Json>) -> Self {
        Self {
            inputs: Source::Json(inputs),
            linked_types: None,
        }
    }

    /// Looks at the inputs of a node that is about to run.
    pub fn of_prompt(inputs: &'a IndexMap<String, PromptInput>) -> Self {
        Self {
            inputs: Source::Prompt(inputs),
            linked_types: None,
        }
    }

    /// Also knows the types of what is linked.
    #[must_use]
    pub fn with_linked_types(self, types: &'a IndexMap<String, SocketType>) -> Self {
        Self {
            linked_types: Some(types),
            ..self
        }
    }

    /// The value as it stands in the prompt; `None` when the input is absent or linked.
    pub fn json(&self, name: &str) -> Option<&'a Json> {
        match self.inputs {
            Source::Json(inputs) => inputs.get(name).filter(|value| Link::read(value).is_none()),
            Source::Prompt(inputs) => match inputs.get(name)? {
                PromptInput::Constant(json) => Some(json),
                PromptInput::Link(_) | PromptInput::Value(_) => None,
            },
        }
    }

    /// The value as a `T`; `None` also when it is not one.
    pub fn get<T: Socket>(&self, name: &str) -> Option<T> {
        if let Source::Prompt(inputs) = self.inputs
            && let Some(PromptInput::Value(value)) = inputs.get(name)
        {
            return value.get();
        }
        T::from_json(self.json(name)?)
    }

    /// What is linked to the input, as the source declares it. Only [`Node::check`] knows this.
    pub fn linked_type(&self, name: &str) -> Option<&'a SocketType> {
        self.linked_types?.get(name)
    }
}
