//! Runs one node: once for each set of its inputs, and never lets it take the worker down.

use std::panic::{AssertUnwindSafe, catch_unwind};

use comfy_graph::{Host, Json, NodeClass, NodeContext, NodeError, Services, Value};
use indexmap::IndexMap;
use serde_json::Map;

use crate::arguments::Arguments;
use crate::cache::NodeResult;
use crate::failure::{Failure, NodeFailure};

/// What one call shows to the user: lists by kind.
type Shown = IndexMap<String, Vec<Json>>;

/// A node that is about to run.
pub(crate) struct Call<'a> {
    pub(crate) node_id: &'a str,
    pub(crate) class: &'a NodeClass,
    pub(crate) prompt: &'a Json,
    pub(crate) extra_pnginfo: &'a Json,
    pub(crate) services: &'a Services,
    pub(crate) host: &'a dyn Host,
}

impl Call<'_> {
    /// Runs the node for all its inputs and joins what the calls give.
    pub(crate) fn run(&self, arguments: &Arguments) -> Result<NodeResult, Failure> {
        let mut outputs = vec![Vec::new(); self.class.template().outputs.len()];
        let mut shown: Vec<Shown> = Vec::new();
        for index in 0..arguments.calls() {
            if self.host.interrupted() {
                return Err(Failure::Interrupted);
            }
            let (values, ui) = self.once(arguments, index)?;
            for (slot, value) in outputs.iter_mut().zip(values) {
                slot.push(value);
            }
            if !ui.is_empty() {
                shown.push(ui);
            }
        }
        Ok(NodeResult {
            outputs,
            shown: join_shown(shown),
        })
    }

    /// One call: the values by slot, and what it shows.
    fn once(&self, arguments: &Arguments, index: usize) -> Result<(Vec<Value>, Shown), Failure> {
        let mut inputs = arguments.call(self.class, index).map_err(Failure::Failed)?;
        let work = || -> Result<_, NodeError> {
            let mut context = NodeContext::new(
                self.node_id,
                self.prompt,
                self.extra_pnginfo,
                self.services,
                self.host,
            );
            let values = self.class.run(&mut inputs, &mut context)?;
            Ok((values, context.take_ui()))
        };
        // A node that panicked is never touched again in this call, and what it shares with others (services, instances)
        // is behind locks of its own.
        let (values, ui) = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(result) => result.map_err(Failure::from)?,
            Err(payload) => return Err(Failure::Failed(NodeFailure::panicked(&*payload))),
        };
        let expected = self.class.template().outputs.len();
        if values.len() != expected {
            let message = format!(
                "expected {expected} outputs of class {}, found {}",
                self.class.id(),
                values.len()
            );
            return Err(Failure::Failed(NodeFailure::new("RuntimeError", message)));
        }
        Ok((values, ui))
    }
}

/// Joins what several calls show: the kinds of the first call that shows something, with the lists of all calls.
fn join_shown(mut calls: Vec<Shown>) -> Option<Json> {
    let mut joined = Map::new();
    let kinds: Vec<String> = calls.first()?.keys().cloned().collect();
    for kind in kinds {
        let list = calls
            .iter_mut()
            .filter_map(|call| call.get_mut(&kind))
            .flat_map(std::mem::take)
            .collect();
        joined.insert(kind, Json::Array(list));
    }
    Some(Json::Object(joined))
}

#[cfg(test)]
mod tests;
