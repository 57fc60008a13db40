//! Brings the events of a prompt to whoever waits for it.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};

use comfy_api::events::Event;
use comfy_exec::{Audience, EventSink};
use parking_lot::Mutex;

/// The channels of those who wait, by the client id that their prompts carry.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    by_client: Mutex<HashMap<String, Sender<Event>>>,
}

impl EventSink for Watchers {
    fn publish(&self, audience: Audience, event: Event) {
        if let Audience::Client(client) = audience
            && let Some(sender) = self.by_client.lock().get(&client)
        {
            // One who has stopped waiting misses nothing.
            let _ = sender.send(event);
        }
    }
}

impl Watchers {
    /// The events for one client, until [`forget`](Self::forget).
    pub(crate) fn watch(&self, client: &str) -> Receiver<Event> {
        let (sender, receiver) = channel();
        self.by_client.lock().insert(client.to_owned(), sender);
        receiver
    }

    pub(crate) fn forget(&self, client: &str) {
        self.by_client.lock().remove(client);
    }
}
