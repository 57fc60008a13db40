//! The node at the end of each wanted output: it hands the values to the program.

use std::collections::HashMap;

use comfy_graph::{List, Node, NodeContext, NodeError, NodeSpec, Value};
use parking_lot::Mutex;

/// Values that came out of graphs, by the receipt that the waiting program gave.
#[derive(Debug, Default)]
pub(crate) struct Deliveries {
    by_receipt: Mutex<HashMap<String, Vec<Value>>>,
}

impl Deliveries {
    /// What was delivered under a receipt; none when the node did not run.
    pub(crate) fn take(&self, receipt: &str) -> Option<Vec<Value>> {
        self.by_receipt.lock().remove(receipt)
    }
}

/// Hands values to the program that runs the graph. The receipt is new in each run, so that the node always runs.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SessionDeliver",
    name = "Deliver",
    category = "session",
    output_node
)]
pub(crate) struct Deliver {
    /// The values.
    values: List<Value>,
    /// The name under which they are fetched.
    receipt: String,
}

impl Node for Deliver {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let deliveries = context.service::<Deliveries>()?;
        let values = self.values.into_iter().collect();
        deliveries.by_receipt.lock().insert(self.receipt, values);
        Ok(())
    }
}
