//! What a node still does when others need not wait for it any more.

use crate::{NodeContext, NodeError, Returned, Returns, Step};
use std::fmt;

/// For the engine.
pub type FinishWork = Box<dyn FnOnce(&mut NodeContext<'_>) -> Result<(), NodeError> + Send>;

/// What is left to do of a node that has no outputs and needs the device no more, such as compressing pictures and writing files.
///
/// If the node is the last of its prompt, this is done on a thread of its own, and the next prompt begins to compute meanwhile.
/// Clients cannot tell: the prompt ends when the work is done, and they hear of the next one only then. Nodes of the next prompt that are
/// [output nodes](crate::NodeSchema::output_node) wait for it, so that files are written in the order of their prompts.
///
/// What the node [keeps](NodeContext::instance) must be taken before.
///
/// ```
/// # use comfy_graph::{Finish, Node, NodeContext, NodeError, NodeSpec};
/// # /// Writes a text.
/// # #[derive(NodeSpec)]
/// # #[node(id = "WriteText", category = "text", output_node)]
/// # struct WriteText {
/// #     /// The text.
/// #     text: String,
/// # }
/// impl Node for WriteText {
///     type Output = Finish;
///
///     fn run(self, _: &mut NodeContext<'_>) -> Result<Finish, NodeError> {
///         Ok(Finish::new(move |context| {
///             context.add_ui("text", self.text.to_uppercase().into());
///             Ok(())
///         }))
///     }
/// }
/// ```
pub struct Finish {
    work: FinishWork,
}

impl Finish {
    /// What is left to do; its context is that of the node.
    pub fn new(
        work: impl FnOnce(&mut NodeContext<'_>) -> Result<(), NodeError> + Send + 'static,
    ) -> Self {
        Self {
            work: Box::new(work),
        }
    }
}

impl fmt::Debug for Finish {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Finish").finish_non_exhaustive()
    }
}

impl Returns for Finish {
    type Outputs = ();

    fn into_step(self) -> Step {
        Step::Finish(self.work)
    }

    fn finished(self, context: &mut NodeContext<'_>) -> Result<Self, NodeError> {
        (self.work)(context)?;
        Ok(Self::new(|_| Ok(())))
    }
}

impl Step {
    /// The step with what a [`Finish`] leaves done here and now.
    ///
    /// # Errors
    ///
    /// The node's.
    pub fn finished(self, context: &mut NodeContext<'_>) -> Result<Self, NodeError> {
        match self {
            Self::Finish(work) => {
                work(context)?;
                Ok(Self::Now(Returned::Outputs(Vec::new())))
            }
            step => Ok(step),
        }
    }
}
