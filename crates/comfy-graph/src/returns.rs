//! How a node gives its outputs: at once, later, or by way of other nodes.

use crate::{
    Blocker, FinishWork, NodeContext, NodeError, Output, Outputs, PromptInput, Subgraph, Value,
};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

/// What the engine waits for.
pub type NodeFuture = Pin<Box<dyn Future<Output = Result<Returned, NodeError>> + Send>>;

/// What a call of a node comes to.
pub enum Step {
    /// It is done.
    Now(Returned),
    /// It goes on beside other nodes.
    Later(NodeFuture),
    /// It has no outputs, and something left to do.
    Finish(FinishWork),
}

/// What a node returned.
#[derive(Debug, Clone)]
pub enum Returned {
    /// A value or list for each output.
    Outputs(Vec<Output>),
    /// Nodes that compute the outputs, and where each output comes from.
    Expand(Subgraph, Vec<PromptInput>),
}

/// What [`Node::run`](crate::Node::run) may return: [`Outputs`], [`Expand`], [`Later`] of either, or [`Finish`](crate::Finish).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a node returns",
    label = "expected sockets, a tuple of them, a struct that derives `Outputs`, `Expand`, `Later` or `Finish`"
)]
pub trait Returns: Sized {
    /// The outputs in the end.
    type Outputs: Outputs;

    /// Whether the node goes on beside others; such nodes are begun early.
    const IS_ASYNC: bool = false;

    /// For the engine.
    fn into_step(self) -> Step;

    /// The same with what a [`Finish`](crate::Finish) leaves done here and now.
    ///
    /// # Errors
    ///
    /// The node's.
    fn finished(self, context: &mut NodeContext<'_>) -> Result<Self, NodeError> {
        let _ = context;
        Ok(self)
    }
}

impl<O: Outputs> Returns for O {
    type Outputs = O;

    fn into_step(self) -> Step {
        Step::Now(Returned::Outputs(self.into_outputs()))
    }
}

/// Outputs, or a graph that computes them; see [`NodeContext::subgraph`](crate::NodeContext::subgraph).
#[derive(Debug, Clone)]
pub enum Expand<O> {
    /// The outputs themselves.
    Outputs(O),
    /// Nodes that compute them; made by [`Subgraph::returns`].
    Graph {
        /// The nodes.
        graph: Subgraph,
        /// Where each output comes from, in slot order.
        outputs: Vec<PromptInput>,
        /// What they compute.
        instead_of: PhantomData<fn() -> O>,
    },
}

impl<O> From<O> for Expand<O> {
    fn from(outputs: O) -> Self {
        Self::Outputs(outputs)
    }
}

impl<O: Outputs> Returns for Expand<O> {
    type Outputs = O;

    fn into_step(self) -> Step {
        match self {
            Self::Outputs(outputs) => outputs.into_step(),
            Self::Graph { graph, outputs, .. } => Step::Now(Returned::Expand(graph, outputs)),
        }
    }
}

/// What a node returns while it goes on: other nodes run meanwhile.
///
/// The rest of the work is a future. It owns what it needs; [`NodeContext::detach`](crate::NodeContext::detach) gives it a
/// context. It is dropped when the prompt is interrupted or another node fails. It runs on a tokio runtime of the engine and
/// must not block its thread for long.
pub struct Later<R> {
    future: Pin<Box<dyn Future<Output = Result<R, NodeError>> + Send>>,
}

impl<R> Later<R> {
    /// What is still to be done.
    pub fn new(future: impl Future<Output = Result<R, NodeError>> + Send + 'static) -> Self {
        Self {
            future: Box::pin(future),
        }
    }
}

impl<R> IntoFuture for Later<R> {
    type Output = Result<R, NodeError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<R, NodeError>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.future
    }
}

impl<R> fmt::Debug for Later<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Later").finish_non_exhaustive()
    }
}

impl<R: Returns + 'static> Returns for Later<R> {
    type Outputs = R::Outputs;

    const IS_ASYNC: bool = true;

    fn into_step(self) -> Step {
        Step::Later(Box::pin(async move {
            // Bound, so that what the node returned does not live across the next await.
            let step = self.future.await?.into_step();
            match step {
                Step::Now(returned) => Ok(returned),
                Step::Later(rest) => rest.await,
                Step::Finish(_) => Err(NodeError::runtime(
                    "what a node returns later cannot leave something to be finished",
                )),
            }
        }))
    }
}

impl Step {
    /// The values of a class that returns them at once, each on its own; an error for every other class.
    pub fn into_values(self) -> Result<Vec<Value>, NodeError> {
        let Self::Now(Returned::Outputs(outputs)) = self else {
            return Err(NodeError::runtime(
                "expected a node that returns its outputs at once",
            ));
        };
        let single = |output| match output {
            Output::One(item) => item.map_err(|blocker: Blocker| {
                NodeError::runtime(format_args!(
                    "blocked: {}",
                    blocker.message().unwrap_or_default()
                ))
            }),
            Output::Many(_) => Err(NodeError::runtime("expected a value, found a list")),
        };
        outputs.into_iter().map(single).collect()
    }
}

impl From<Vec<Value>> for Step {
    fn from(values: Vec<Value>) -> Self {
        let outputs = values.into_iter().map(|value| Output::One(Ok(value)));
        Self::Now(Returned::Outputs(outputs.collect()))
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(returned) => formatter.debug_tuple("Now").field(returned).finish(),
            Self::Later(_) => formatter.debug_tuple("Later").finish_non_exhaustive(),
            Self::Finish(_) => formatter.debug_tuple("Finish").finish_non_exhaustive(),
        }
    }
}
