//! What a node author writes.

use crate::{
    Catalog, InputError, Inputs, Json, Link, NodeContext, NodeError, Outputs, SchemaBuilder,
    Services, Socket,
};
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
    /// A socket, a tuple of sockets, `()`, or a struct deriving [`Outputs`].
    type Output: Outputs;

    /// Whether [`fingerprint`](Self::fingerprint) is worth asking.
    const HAS_FINGERPRINT: bool = false;

    /// Inputs that [`check`](Self::check) looks at; the tests of range and choice are skipped for them.
    const CHECKS: &'static [&'static str] = &[];

    /// Does the work.
    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError>;

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
    inputs: &'a Map<String, Json>,
}

impl<'a> Constants<'a> {
    /// Looks at the `inputs` of a node.
    pub fn new(inputs: &'a Map<String, Json>) -> Self {
        Self { inputs }
    }

    /// The value as it stands in the prompt; `None` when the input is absent or linked.
    pub fn json(&self, name: &str) -> Option<&'a Json> {
        self.inputs
            .get(name)
            .filter(|value| Link::read(value).is_none())
    }

    /// The value as a `T`; `None` also when it is not one.
    pub fn get<T: Socket>(&self, name: &str) -> Option<T> {
        T::from_json(self.json(name)?)
    }
}
