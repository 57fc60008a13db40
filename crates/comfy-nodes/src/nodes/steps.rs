//! What clients are told of the steps of a sampler.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::Scope;

use burn::tensor::Tensor;
use comfy_diffusion::sampling::Step;
use comfy_graph::{NodeContext, NodeError};

use crate::preview::Previewer;

/// How many steps may wait for their pictures. A sampler that is faster than its previews waits for them; none is left out.
const WAITING: usize = 1;

/// Tells clients of each step in turn.
///
/// With pictures it does so beside the sampler: a picture waits for the step to end on the device, and is scaled and encoded on the
/// processor, while the sampler has long begun with the next step.
pub(super) struct StepReports<'a, 'c> {
    context: &'a mut NodeContext<'c>,
    beside: Option<SyncSender<Done>>,
}

/// A step that is done.
struct Done {
    /// From 1.
    number: u64,
    count: u64,
    x0: Tensor<4>,
}

impl<'a, 'c> StepReports<'a, 'c> {
    /// Everything has been told when `scope` ends.
    pub(super) fn new<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        previewer: Option<Previewer>,
        context: &'a mut NodeContext<'c>,
    ) -> Self {
        let beside = previewer.map(|previewer| {
            let (sender, steps) = sync_channel::<Done>(WAITING);
            let mut context = context.detach();
            scope.spawn(move || {
                for step in steps {
                    let preview = previewer.render(&step.x0);
                    let told = context.progress_with_preview(step.number, step.count, preview);
                    if told.is_err() {
                        // The sampler sees for itself that it is to stop.
                        break;
                    }
                }
            });
            sender
        });
        Self { context, beside }
    }

    /// Tells of a step.
    ///
    /// # Errors
    ///
    /// That somebody asked to stop.
    pub(super) fn tell(&mut self, step: &Step<'_>) -> Result<(), NodeError> {
        let (number, count) = (step.index as u64 + 1, step.count as u64);
        let Some(beside) = &self.beside else {
            return self.context.progress(number, count);
        };
        self.context.check_interrupt()?;
        let x0 = step.x0.clone();
        // Nobody receives if it was interrupted meanwhile.
        let sent = beside.send(Done { number, count, x0 });
        sent.map_err(|_| NodeError::Interrupted)
    }
}
