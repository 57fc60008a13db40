//! One call of a node, which never takes the worker down.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use comfy_graph::{
    Blocker, Call, FinishWork, Host, Inputs, Json, Needs, NodeClass, NodeContext, NodeError,
    NodeFuture, Output, Returned, Services, Step,
};
use indexmap::IndexMap;

use crate::failure::{Failure, NodeFailure};

/// What one call shows to the user: lists by kind.
pub(crate) type Shown = IndexMap<String, Vec<Json>>;

/// A node that is about to run.
pub(crate) struct Caller<'a> {
    pub(crate) node_id: &'a Arc<str>,
    pub(crate) class: &'a NodeClass,
    pub(crate) prompt: &'a Arc<Json>,
    pub(crate) extra_pnginfo: &'a Arc<Json>,
    pub(crate) services: &'a Services,
    pub(crate) host: &'a Arc<dyn Host>,
}

/// How a call came out.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) returned: Returned,
    pub(crate) shown: Shown,
}

/// A call that has been made.
pub(crate) enum Calling {
    /// It is done.
    Done(Called),
    /// It goes on.
    Later(LaterCall),
    /// It has something left to do, and no outputs.
    Finish(FinishCall),
}

/// A call that goes on beside other nodes.
pub(crate) struct LaterCall {
    future: NodeFuture,
    context: NodeContext<'static>,
    outputs: Expected,
}

/// What is left of a call.
pub(crate) struct FinishCall {
    work: FinishWork,
    context: NodeContext<'static>,
    outputs: Expected,
}

/// How many outputs a class has.
struct Expected {
    class: String,
    count: usize,
}

impl Caller<'_> {
    /// Calls the node.
    pub(crate) fn call(&self, mut inputs: Inputs, index: usize) -> Result<Calling, Failure> {
        let mut context = NodeContext::new(Call {
            unique_id: Arc::clone(self.node_id),
            index,
            prompt: Arc::clone(self.prompt),
            extra_pnginfo: Arc::clone(self.extra_pnginfo),
            services: self.services.clone(),
            host: Arc::clone(self.host),
        });
        let outputs = Expected {
            class: self.class.id().to_owned(),
            count: self.class.template().outputs.len(),
        };
        match guarded(|| self.class.run(&mut inputs, &mut context))? {
            Step::Now(returned) => {
                outputs.check(&returned)?;
                Ok(Calling::Done(Called {
                    returned,
                    shown: context.take_ui(),
                }))
            }
            Step::Later(future) => Ok(Calling::Later(LaterCall {
                future,
                context: context.detach(),
                outputs,
            })),
            Step::Finish(work) => Ok(Calling::Finish(FinishCall {
                work,
                context: context.detach(),
                outputs,
            })),
        }
    }

    /// What a blocked call comes to: the blocker on every output.
    pub(crate) fn blocked(&self, blocker: &Blocker) -> Called {
        let outputs = self.class.template().outputs.iter();
        Called {
            returned: Returned::Outputs(
                outputs.map(|_| Output::One(Err(blocker.clone()))).collect(),
            ),
            shown: Shown::new(),
        }
    }

    /// Asks which lazy inputs the call would use.
    pub(crate) fn needs(&self, mut inputs: Inputs) -> Result<Needs, Failure> {
        guarded(|| self.class.needs(&mut inputs))
    }
}

impl LaterCall {
    /// Goes on to the end.
    pub(crate) async fn finish(self) -> Result<Called, Failure> {
        let Self {
            future,
            mut context,
            outputs,
        } = self;
        let returned = Guarded(future).await?;
        outputs.check(&returned)?;
        Ok(Called {
            returned,
            shown: context.take_ui(),
        })
    }
}

impl FinishCall {
    /// Does what is left.
    pub(crate) fn finish(self) -> Result<Called, Failure> {
        let Self {
            work,
            mut context,
            outputs,
        } = self;
        guarded(|| work(&mut context))?;
        let returned = Returned::Outputs(Vec::new());
        outputs.check(&returned)?;
        Ok(Called {
            returned,
            shown: context.take_ui(),
        })
    }
}

impl Expected {
    fn check(&self, returned: &Returned) -> Result<(), Failure> {
        let found = match returned {
            Returned::Outputs(outputs) => outputs.len(),
            Returned::Expand(_, outputs) => outputs.len(),
        };
        if found == self.count {
            return Ok(());
        }
        let Self { class, count } = self;
        let message = format!("expected {count} outputs of class {class}, found {found}");
        Err(Failure::Failed(NodeFailure::new("RuntimeError", message)))
    }
}

/// Runs code of a node.
///
/// A node that panicked is never touched again in this call, and what it shares with others (services, instances) is behind
/// locks of its own.
fn guarded<T>(work: impl FnOnce() -> Result<T, NodeError>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(Failure::from),
        Err(payload) => Err(Failure::Failed(NodeFailure::panicked(&*payload))),
    }
}

/// Polls code of a node.
struct Guarded(NodeFuture);

impl Future for Guarded {
    type Output = Result<Returned, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.0.as_mut();
        match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
            Ok(poll) => poll.map(|result| result.map_err(Failure::from)),
            Err(payload) => Poll::Ready(Err(Failure::Failed(NodeFailure::panicked(&*payload)))),
        }
    }
}
