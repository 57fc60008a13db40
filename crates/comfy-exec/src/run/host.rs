//! The engine, as a running node sees it.

use std::sync::Arc;

use comfy_graph::{Host, Json, Preview};
use parking_lot::Mutex;
use serde_json::{Map, Number};

use crate::caches::{Instance, InstanceCache, Owner};
use crate::names::NodeNames;
use crate::reporter::Reporter;
use crate::signals::Signals;

/// The host of one node.
pub(super) struct NodeHost {
    pub(super) names: Arc<NodeNames>,
    pub(super) class: String,
    pub(super) owner: Option<Owner>,
    pub(super) reporter: Arc<Reporter>,
    pub(super) signals: Arc<Signals>,
    pub(super) instances: Arc<Mutex<InstanceCache>>,
    pub(super) extra_data: Arc<Map<String, Json>>,
}

impl Host for NodeHost {
    fn progress(&self, value: Number, max: Number, preview: Option<Preview>) {
        if !self.signals.closed() {
            self.reporter
                .node_progress(&self.names, value, max, preview);
        }
    }

    fn interrupted(&self) -> bool {
        self.signals.interrupted() || self.signals.closed()
    }

    fn instance(&self, make: &mut dyn FnMut() -> Instance) -> Instance {
        let (id, class) = (&self.names.id, &self.class);
        if let Some(instance) = self.instances.lock().get(id, class) {
            return instance;
        }
        // Made without the lock, since this is code of the node.
        let made = make();
        let owner = self.owner.as_ref();
        self.instances.lock().insert(id, class, owner, made)
    }

    fn extra_data(&self, key: &str) -> Option<&Json> {
        self.extra_data.get(key)
    }
}
