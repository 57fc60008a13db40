//! The events of one prompt on their way to the outbox.

use comfy_api::events::Event;
use parking_lot::Mutex;

use crate::Audience;
use crate::sink::Outbox;

/// Holds back the events of a prompt that has begun before the one in front of it has ended, so that clients hear of one prompt after
/// the other.
pub(crate) struct Voice {
    /// The events so far; none once they may be heard.
    held: Mutex<Option<Vec<(Audience, Event)>>>,
}

impl Voice {
    /// A voice that is heard at once, or when it is [released](Self::release).
    pub(crate) fn new(is_held: bool) -> Self {
        Self {
            held: Mutex::new(is_held.then(Vec::new)),
        }
    }

    /// Queues an event; [`Outbox::flush`] must follow.
    pub(crate) fn push(&self, outbox: &Outbox, audience: Audience, event: Event) {
        // The lock is kept, so that no event overtakes those that are being released.
        match &mut *self.held.lock() {
            Some(events) => events.push((audience, event)),
            None => outbox.push(audience, event),
        }
    }

    /// Queues everything that was held back; from now on nothing is.
    pub(crate) fn release(&self, outbox: &Outbox) {
        let mut held = self.held.lock();
        for (audience, event) in held.take().into_iter().flatten() {
            outbox.push(audience, event);
        }
    }
}
