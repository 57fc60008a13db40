//! What waits to be sent over one connection.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ws::Message;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Messages that may wait. A sampler sends a handful a step; a client this far behind does not read.
const MESSAGE_LIMIT: usize = 8192;
/// From so many waiting messages on a client is behind, and is spared news that are no longer true.
const BEHIND: usize = 64;
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

/// What becomes of a message when a newer one of its kind follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// The client needs it all the same.
    Lasting,
    /// It need not be sent any more.
    UntilTheNext,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<(Message, Lifetime)>,
    bytes: usize,
    finished: bool,
}

/// The connection does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

impl Outbox {
    /// Adds a message; on overflow drops everything and abandons the connection.
    pub(super) fn push(&self, message: Message, lifetime: Lifetime) -> Result<(), Overflow> {
        let length = length(&message);
        let mut waiting = self.waiting.lock();
        if waiting.finished {
            return Ok(());
        }
        if lifetime == Lifetime::UntilTheNext
            && waiting.messages.len() >= BEHIND
            && waiting
                .messages
                .back()
                .is_some_and(|last| last.1 == lifetime)
        {
            waiting.take_last();
        }
        let is_full = waiting.messages.len() >= MESSAGE_LIMIT
            || waiting.bytes.saturating_add(length) > BYTE_LIMIT;
        if is_full && !waiting.messages.is_empty() {
            drop(waiting);
            self.abandon();
            return Err(Overflow);
        }
        waiting.bytes += length;
        waiting.messages.push_back((message, lifetime));
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// The next message; none after [`Outbox::finish`], when all are taken.
    pub(super) async fn next(&self) -> Option<Message> {
        loop {
            {
                let mut waiting = self.waiting.lock();
                if let Some(message) = waiting.take_first() {
                    return Some(message);
                }
                if waiting.finished {
                    return None;
                }
            }
            self.changed.notified().await;
        }
    }

    /// The next message if one waits.
    pub(super) fn next_waiting(&self) -> Option<Message> {
        self.waiting.lock().take_first()
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

impl Waiting {
    fn take_first(&mut self) -> Option<Message> {
        let (message, _) = self.messages.pop_front()?;
        self.bytes -= length(&message);
        Some(message)
    }

    fn take_last(&mut self) {
        if let Some((message, _)) = self.messages.pop_back() {
            self.bytes -= length(&message);
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

    use super::Lifetime::{Lasting, UntilTheNext};
    use super::*;

    #[tokio::test]
    async fn messages_come_out_in_order_until_the_end() {
        let outbox = Outbox::default();
        for text in ["a", "b"] {
            outbox
                .push(Message::text(text), Lasting)
                .expect("there is room");
        }
        outbox.finish();
        outbox
            .push(Message::text("late"), Lasting)
            .expect("ignored");
        assert_eq!(outbox.next().await, Some(Message::text("a")));
        assert_eq!(outbox.next().await, Some(Message::text("b")));
        assert_eq!(outbox.next().await, None);
    }

    #[tokio::test]
    async fn a_reader_that_stops_is_given_up() {
        let outbox = Outbox::default();
        for _ in 0..MESSAGE_LIMIT {
            outbox
                .push(Message::text("x"), Lasting)
                .expect("there is room");
        }
        assert_eq!(outbox.push(Message::text("x"), Lasting), Err(Overflow));
        outbox.until_abandoned().await;
        assert_eq!(outbox.next().await, None);
    }

    #[test]
    fn bytes_count_but_one_large_message_always_fits() {
        let outbox = Outbox::default();
        let large = || Message::Binary(Bytes::from(vec![0; BYTE_LIMIT + 1]));
        outbox.push(large(), Lasting).expect("nothing else waits");
        assert_eq!(outbox.push(Message::text("x"), Lasting), Err(Overflow));
    }

    #[test]
    fn a_reader_that_is_behind_gets_only_the_latest_news() {
        let outbox = Outbox::default();
        let push = |text: &str, lifetime| {
            outbox
                .push(Message::text(text.to_owned()), lifetime)
                .expect("there is room");
        };
        for _ in 0..BEHIND {
            push("status", UntilTheNext);
        }
        push("executing", Lasting);
        for number in 0..100_000 {
            push(&format!("status {number}"), UntilTheNext);
        }
        push("executed", Lasting);
        let texts: Vec<_> = std::iter::from_fn(|| outbox.next_waiting()).collect();
        assert_eq!(
            texts.len(),
            BEHIND + 3,
            "those of a reader that keeps up stay"
        );
        assert_eq!(texts[BEHIND + 1], Message::text("status 99999"));
        assert_eq!(outbox.waiting.lock().bytes, 0);
    }
}
