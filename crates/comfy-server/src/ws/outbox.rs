//! What waits to be sent over one connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ws::Message;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Messages that may wait. A sampler sends a handful a step; a client this far behind does not read.
const MESSAGE_LIMIT: usize = 8192;
/// Bytes that may wait when more than one message does.
const BYTE_LIMIT: usize = 64 << 20;

/// A queue with a limit. Whoever produces never waits: a connection that does not keep up is given up.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
    abandoned: AtomicBool,
    abandonment: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    finished: bool,
}

/// The connection does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    /// Adds a message; on overflow drops everything and abandons the connection.
    pub(super) fn push(&self, message: Message) -> Result<(), Overflow> {
        let length = length(&message);
        let mut waiting = self.waiting.lock();
        if waiting.finished {
            return Ok(());
        }
        let is_full = waiting.messages.len() >= MESSAGE_LIMIT
            || waiting.bytes.saturating_add(length) > BYTE_LIMIT;
        if is_full && !waiting.messages.is_empty() {
            drop(waiting);
            self.abandon();
            return Err(Overflow);
        }
        waiting.bytes += length;
        waiting.messages.push_back(message);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// The next message; none after [`Outbox::finish`], when all are taken.
    pub(super) async fn next(&self) -> Option<Message> {
        loop {
            {
                let mut waiting = self.waiting.lock();
                if let Some(message) = waiting.messages.pop_front() {
                    waiting.bytes -= length(&message);
                    return Some(message);
                }
                if waiting.finished {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// Takes no more messages; those that wait are still sent.
    pub(super) fn finish(&self) {
        self.waiting.lock().finished = true;
        self.changed.notify_one();
    }

    /// Gives the connection up at once.
    pub(super) fn abandon(&self) {
        {
            let mut waiting = self.waiting.lock();
            *waiting = Waiting {
                finished: true,
                ..Waiting::default()
            };
        }
        self.abandoned.store(true, Ordering::Release);
        self.changed.notify_one();
        self.abandonment.notify_one();
    }

    /// Resolves when the connection has been given up.
    pub(super) async fn until_abandoned(&self) {
        while !self.abandoned.load(Ordering::Acquire) {
            self.abandonment.notified().await;
        }
    }
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;

    use super::*;

    #[tokio::test]
    async fn messages_come_out_in_order_until_the_end() {
        let outbox = Outbox::default();
        for text in ["a", "b"] {
            outbox.push(Message::text(text)).expect("there is room");
        }
        outbox.finish();
        outbox.push(Message::text("late")).expect("ignored");
        assert_eq!(outbox.next().await, Some(Message::text("a")));
        assert_eq!(outbox.next().await, Some(Message::text("b")));
        assert_eq!(outbox.next().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_stops_is_given_up() {
        let outbox = Outbox::default();
        for _ in 0..MESSAGE_LIMIT {
            outbox.push(Message::text("x")).expect("there is room");
        }
        assert_eq!(outbox.push(Message::text("x")), Err(Overflow));
        outbox.until_abandoned().await;
        assert_eq!(outbox.next().await, None);
    }

    #[test]
    fn bytes_count_but_one_large_message_always_fits() {
        let outbox = Outbox::default();
        let large = || Message::Binary(Bytes::from(vec![0; BYTE_LIMIT + 1]));
        outbox.push(large()).expect("nothing else waits");
        assert_eq!(outbox.push(Message::text("x")), Err(Overflow));
    }
}
