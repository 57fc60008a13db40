//! Where events go, and the outbox that keeps their order.

use std::collections::VecDeque;
use std::sync::Arc;

use comfy_api::events::Event;
use parking_lot::Mutex;

/// Who gets an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every connection.
    All,
    /// The connection with this client id, if there is one.
    Client(String),
}

/// Receives the engine's events; the server's websocket hub is one.
///
/// Events come one at a time and in order, from whichever thread caused them or from the worker. No lock of the engine is
/// held meanwhile, so an implementation may call the engine. It must not wait for a client: the worker would wait with it.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn publish(&self, audience: Audience, event: Event);
}

/// Events on their way to the sink.
///
/// They are queued while the state's lock is held (so that their order is the order of what happened) and delivered after
/// it is released, by one thread at a time. A thread that finds another one delivering leaves its events to that one.
pub(crate) struct Outbox {
    sink: Arc<dyn EventSink>,
    waiting: Mutex<VecDeque<(Audience, Event)>>,
    delivering: Mutex<()>,
}

impl Outbox {
    pub(crate) fn new(sink: Arc<dyn EventSink>) -> Self {
        Self {
            sink,
            waiting: Mutex::default(),
            delivering: Mutex::default(),
        }
    }

    /// Queues an event; [`flush`](Self::flush) must follow.
    pub(crate) fn push(&self, audience: Audience, event: impl Into<Event>) {
        self.waiting.lock().push_back((audience, event.into()));
    }

    /// Queues an event and delivers.
    #[cfg(test)]
    pub(crate) fn send(&self, audience: Audience, event: impl Into<Event>) {
        self.push(audience, event);
        self.flush();
    }

    /// Delivers what is queued, unless another thread (or this one, further up its stack) is at it.
    pub(crate) fn flush(&self) {
        while !self.waiting.lock().is_empty() {
            let Some(_turn) = self.delivering.try_lock() else {
                return;
            };
            while let Some((audience, event)) = self.next() {
                self.sink.publish(audience, event);
            }
            // Only now is the turn given back; an event queued since the last look is found by the outer loop.
        }
    }

    fn next(&self) -> Option<(Audience, Event)> {
        self.waiting.lock().pop_front()
    }
}

#[cfg(test)]
mod tests {
    use comfy_api::events::{StatusEvent, TextEvent};
    use comfy_api::queue::QueueStatus;

    use super::*;

    fn status(queue_remaining: usize) -> TextEvent {
        TextEvent::Status(StatusEvent {
            status: QueueStatus::new(queue_remaining),
            sid: None,
        })
    }

    #[derive(Default)]
    struct Recorder {
        seen: Mutex<Vec<Event>>,
        /// Set to make the first delivery queue another event.
        outbox: Mutex<Option<Arc<Outbox>>>,
    }

    impl EventSink for Recorder {
        fn publish(&self, _: Audience, event: Event) {
            let outbox = self.outbox.lock().take();
            if let Some(outbox) = outbox {
                outbox.send(Audience::All, status(99));
            }
            self.seen.lock().push(event);
        }
    }

    #[test]
    fn a_sink_may_cause_events_while_it_takes_one() {
        let recorder = Arc::new(Recorder::default());
        let outbox = Arc::new(Outbox::new(recorder.clone()));
        *recorder.outbox.lock() = Some(outbox.clone());
        outbox.send(Audience::All, status(1));
        assert_eq!(*recorder.seen.lock(), [status(1).into(), status(99).into()]);
    }

    #[test]
    fn nothing_is_lost_or_reordered_between_threads() {
        let recorder = Arc::new(Recorder::default());
        let outbox = Arc::new(Outbox::new(recorder.clone()));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let outbox = &outbox;
                scope.spawn(move || {
                    for count in 0..500 {
                        outbox.send(Audience::All, status(thread * 1000 + count));
                    }
                });
            }
        });
        let seen = recorder.seen.lock();
        assert_eq!(seen.len(), 2000);
        for thread in 0..4 {
            let own: Vec<usize> = seen
                .iter()
                .filter_map(|event| match event {
                    Event::Text(TextEvent::Status(status)) => {
                        Some(status.status.exec_info.queue_remaining)
                    }
                    _ => None,
                })
                .filter(|count| count / 1000 == thread)
                .collect();
            assert!(own.is_sorted() && own.len() == 500, "thread {thread}");
        }
    }
}
