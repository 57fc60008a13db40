//! Runs a single node, for the tests of its author.

use crate::{
    Call, EmptyCatalog, Host, Inputs, Json, Needs, Node, NodeContext, NodeError, Preview, Returns,
    Services, Slot, Socket, Value,
};
use indexmap::IndexMap;
use serde_json::Number;
use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

/// A node, its inputs and its surroundings.
///
/// ```
/// # use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
/// # /// Adds two numbers.
/// # #[derive(NodeSpec)]
/// # #[node(id = "Add", category = "math")]
/// # struct Add {
/// #     /// The first number.
/// #     a: i64,
/// #     /// The second number.
/// #     b: i64,
/// # }
/// # impl Node for Add {
/// #     type Output = i64;
/// #     fn run(self, _: &mut NodeContext<'_>) -> Result<i64, NodeError> { Ok(self.a + self.b) }
/// # }
/// use comfy_graph::testing::NodeTester;
///
/// let sum = NodeTester::<Add>::new().wire("a", 1_i64).set("b", 2).run()?;
/// assert_eq!(sum, 3);
/// # Ok::<(), NodeError>(())
/// ```
#[derive(Debug)]
pub struct NodeTester<N> {
    inputs: Inputs,
    services: Services,
    prompt: Json,
    extra_pnginfo: Json,
    node: std::marker::PhantomData<fn() -> N>,
}

/// What a node did besides returning its outputs.
#[derive(Debug, Default)]
pub struct Trace {
    /// What clients would get: lists by key.
    pub ui: IndexMap<String, Vec<Json>>,
    /// The steps it reported, with the pictures.
    pub progress: Vec<(Number, Number, Option<Preview>)>,
}

impl<N: Node> Default for NodeTester<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Node> NodeTester<N> {
    /// Without inputs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            inputs: Inputs::new().hidden("unique_id", "1"),
            services: Services::new(),
            prompt: Json::Null,
            extra_pnginfo: Json::Null,
            node: std::marker::PhantomData,
        }
    }

    /// Gives a value along a wire.
    #[must_use]
    pub fn wire<T: Socket>(mut self, name: &str, value: T) -> Self {
        self.inputs.insert(name, Slot::Wire(Value::new(value)));
        self
    }

    /// Gives a widget value.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.inputs.insert(name, Slot::Literal(value.into()));
        self
    }

    /// Gives all values of a list at once.
    #[must_use]
    pub fn list<T: Socket>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let slots = values
            .into_iter()
            .map(|value| Slot::Wire(Value::new(value)));
        self.inputs.insert(name, Slot::Many(slots.collect()));
        self
    }

    /// Links a lazy input to a node that has not run.
    #[must_use]
    pub fn waiting(mut self, name: &str) -> Self {
        self.inputs.insert(name, Slot::Waiting);
        self
    }

    /// Offers a service.
    #[must_use]
    pub fn service<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        self.services.insert(service);
        self
    }

    /// Pretends that the node is part of this prompt; hidden inputs of the usual names get it.
    #[must_use]
    pub fn prompt(mut self, prompt: Json, extra_pnginfo: Json) -> Self {
        self.inputs
            .insert("prompt", Slot::Hidden(Arc::new(prompt.clone())));
        self.inputs.insert(
            "extra_pnginfo",
            Slot::Hidden(Arc::new(extra_pnginfo.clone())),
        );
        self.prompt = prompt;
        self.extra_pnginfo = extra_pnginfo;
        self
    }

    /// The names of the lazy inputs that the node asks for.
    pub fn needs(mut self) -> Result<Vec<String>, NodeError> {
        let mut needs = Needs::default();
        self.node()?.needs(&mut needs);
        Ok(needs.names().to_vec())
    }

    /// Runs the node, with what it leaves to be [finished](crate::Finish). What it returns [`Later`](crate::Later) has still to be
    /// awaited.
    pub fn run(self) -> Result<N::Output, NodeError> {
        self.trace().map(|(output, _)| output)
    }

    /// Runs the node and tells what else it did.
    pub fn trace(mut self) -> Result<(N::Output, Trace), NodeError> {
        let node = self.node()?;
        let host = Arc::new(Recorder::default());
        let mut context = NodeContext::new(Call {
            unique_id: "1".into(),
            index: 0,
            prompt: Arc::new(self.prompt),
            extra_pnginfo: Arc::new(self.extra_pnginfo),
            services: self.services,
            host: host.clone(),
        });
        let output = node.run(&mut context)?.finished(&mut context)?;
        let ui = context.take_ui();
        let progress = std::mem::take(&mut *lock(&host.progress));
        Ok((output, Trace { ui, progress }))
    }

    fn node(&mut self) -> Result<N, NodeError> {
        let schema = N::schema(&EmptyCatalog).build();
        self.inputs.collect_undeclared(&schema.inputs);
        Ok(N::from_inputs(&mut self.inputs)?)
    }
}

/// Writes down what a node reports.
#[derive(Default)]
struct Recorder {
    progress: Mutex<Vec<(Number, Number, Option<Preview>)>>,
    kept: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Host for Recorder {
    fn progress(&self, value: Number, max: Number, preview: Option<Preview>) {
        lock(&self.progress).push((value, max, preview));
    }

    fn interrupted(&self) -> bool {
        false
    }

    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        lock(&self.kept).get_or_insert_with(make).clone()
    }
}
