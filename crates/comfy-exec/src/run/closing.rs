//! Prompts whose last node finishes beside the worker, which begins with the next prompt meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use comfy_graph::signature::Signature;

use super::arguments::Arguments;
use super::call::FinishCall;
use super::lists::join_shown;
use super::outcome::{Ending, Stop};
use crate::caches::{NodeResult, ResultCache};
use crate::names::NodeNames;
use crate::signals::Signals;

/// The last node of a prompt, which needs nothing but its own inputs any more.
pub(super) struct LastNode {
    pub(super) node: usize,
    pub(super) names: Arc<NodeNames>,
    pub(super) call: FinishCall,
    pub(super) arguments: Arguments,
    pub(super) signature: Option<Signature>,
}

/// A prompt that ends when its last node has finished.
pub(crate) struct Closing {
    pub(super) ending: Ending,
    pub(super) last: LastNode,
    pub(super) signals: Arc<Signals>,
    /// The generation of results that it belongs to.
    pub(super) generation: u64,
}

impl Closing {
    /// Finishes the last node, ends the prompt, and gives what the node gave.
    fn close(self) -> Option<NodeResult> {
        let Self {
            mut ending,
            last,
            signals,
            ..
        } = self;
        let LastNode {
            node,
            names,
            call,
            arguments,
            ..
        } = last;
        let shared = Arc::clone(&ending.shared);
        let (outcome, result) = match call.finish() {
            Ok(called) => {
                let shown = join_shown(vec![called.shown]);
                ending.show(node, &names, shown.clone());
                let outputs = Vec::new();
                (Ok(()), Some(NodeResult { outputs, shown }))
            }
            Err(failure) => {
                let stop = Stop::at(NodeNames::clone(&names), failure);
                (Err(stop.with_inputs(&arguments)), None)
            }
        };
        // Whoever hears of the end finds the memory free.
        drop(arguments);
        signals.close();
        shared.finish(ending.finish(outcome));
        result
    }
}

/// The thread on which prompts are closed, one at a time.
pub(crate) struct Closer {
    work: Sender<Closing>,
    results: Receiver<Option<NodeResult>>,
    /// What the prompt that is being closed will leave.
    expected: Option<Expected>,
}

struct Expected {
    signature: Option<Signature>,
    generation: u64,
}

impl Closer {
    pub(crate) fn start() -> Self {
        let (work, closings) = channel::<Closing>();
        let (sender, results) = channel();
        std::thread::Builder::new()
            .name("comfy-exec closing".to_owned())
            .spawn(move || {
                for closing in closings {
                    // Nobody waits for the result once the worker has ended.
                    let _ = sender.send(closing.close());
                }
            })
            .expect("the system can start one more thread");
        Self {
            work,
            results,
            expected: None,
        }
    }

    /// Closes a prompt. The one before must be [settled](Self::settle).
    pub(crate) fn close(&mut self, closing: Closing) {
        self.expected = Some(Expected {
            signature: closing.last.signature,
            generation: closing.generation,
        });
        self.work
            .send(closing)
            .expect("the thread lives as long as this");
    }

    /// Whether a prompt may still be open whose last node has this signature.
    pub(super) fn expects<'s>(&self, mut signatures: impl Iterator<Item = &'s Signature>) -> bool {
        let expected = self.expected.as_ref();
        let expected = expected.and_then(|expected| expected.signature.as_ref());
        expected.is_some_and(|expected| signatures.any(|signature| signature == expected))
    }

    /// Waits until the prompt that is being closed has ended, and keeps what its last node gave.
    pub(crate) fn settle(&mut self, cache: &mut ResultCache<Signature>) {
        let Some(expected) = self.expected.take() else {
            return;
        };
        let result = self.results.recv().ok().flatten();
        if let (Some(signature), Some(result)) = (expected.signature, result) {
            cache.insert_late(signature, Arc::new(result), expected.generation);
        }
    }
}
