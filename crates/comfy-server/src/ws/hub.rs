//! Who is connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::ws::Message;
use comfy_api::events::{Event, Framing, Logs, Preview, TextEvent};
use comfy_exec::{Audience, EventSink};
use indexmap::IndexMap;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::outbox::{Lifetime, Outbox};
use crate::reply::standard;

/// The connected clients by their ids.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    clients: Mutex<IndexMap<String, Arc<Connection>>>,
    counter: AtomicU64,
    /// How many websockets are open, those that were replaced included.
    open: watch::Sender<usize>,
}

/// Counts a websocket as open for as long as it lives.
#[derive(Debug)]
pub(super) struct OpenGuard(watch::Sender<usize>);

impl Drop for OpenGuard {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

/// One open websocket.
#[derive(Debug)]
pub(super) struct Connection {
    number: u64,
    pub(super) outbox: Outbox,
    /// Whether the client asked for previews with metadata.
    wants_metadata: AtomicBool,
    /// Whether the client asked for the log.
    wants_logs: AtomicBool,
}

impl Connection {
    /// Sends an event to this client alone.
    pub(super) fn send(&self, event: &TextEvent) {
        if let Some(message) = text(event) {
            // A connection that does not keep up has been given up by its outbox; its own task notices.
            let _ = self.outbox.push(message, Lifetime::Lasting);
        }
    }

    /// From now on previews carry metadata, or not.
    pub(super) fn set_wants_metadata(&self, wants: bool) {
        self.wants_metadata.store(wants, Ordering::Release);
    }
}

impl Hub {
    /// A connection that is not known to anybody yet.
    pub(super) fn connection(&self) -> Arc<Connection> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        Arc::new(Connection {
            number,
            outbox: Outbox::default(),
            wants_metadata: AtomicBool::new(false),
            wants_logs: AtomicBool::new(false),
        })
    }

    /// Makes a connection the one of this client id. An earlier one stays open, but gets nothing any more: closing it would
    /// make two tabs with one id throw each other out for ever.
    pub(super) fn register(&self, sid: &str, connection: Arc<Connection>) {
        self.clients.lock().insert(sid.to_owned(), connection);
    }

    /// Forgets a connection, unless another one has taken its id.
    pub(super) fn unregister(&self, sid: &str, connection: &Connection) {
        let mut clients = self.clients.lock();
        if clients
            .get(sid)
            .is_some_and(|known| known.number == connection.number)
        {
            clients.shift_remove(sid);
        }
    }

    /// From now on a client gets the log, or not.
    pub(crate) fn set_wants_logs(&self, sid: &str, wants: bool) {
        if let Some(connection) = self.clients.lock().get(sid) {
            connection.wants_logs.store(wants, Ordering::Release);
        }
    }

    /// Sends lines of the log to those who want it.
    pub(crate) fn send_logs(&self, logs: Logs) {
        if let Some(message) = text(&TextEvent::Logs(logs)) {
            self.send(&Audience::All, &message, |connection| {
                connection.wants_logs.load(Ordering::Acquire)
            });
        }
    }

    /// Sends what waits and closes every connection.
    pub(crate) fn close(&self) {
        for (_, connection) in self.clients.lock().drain(..) {
            connection.outbox.finish();
        }
    }

    /// Counts one more open websocket.
    pub(super) fn opened(&self) -> OpenGuard {
        self.open.send_modify(|open| *open += 1);
        OpenGuard(self.open.clone())
    }

    /// Resolves when no websocket is open.
    pub(crate) async fn until_empty(&self) {
        let mut open = self.open.subscribe();
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = open.wait_for(|open| *open == 0).await;
    }

    fn send(&self, audience: &Audience, message: &Message, accepts: impl Fn(&Connection) -> bool) {
        self.send_for(audience, message, Lifetime::Lasting, accepts);
    }

    fn send_for(
        &self,
        audience: &Audience,
        message: &Message,
        lifetime: Lifetime,
        accepts: impl Fn(&Connection) -> bool,
    ) {
        let mut clients = self.clients.lock();
        match audience {
            Audience::All => clients.retain(|sid, connection| {
                !accepts(connection) || deliver(sid, connection, message, lifetime)
            }),
            Audience::Client(sid) => {
                let Some(connection) = clients.get(sid) else {
                    return;
                };
                if accepts(connection) && !deliver(sid, connection, message, lifetime) {
                    clients.shift_remove(sid);
                }
            }
        }
    }

    fn send_preview(&self, audience: &Audience, preview: &Preview) {
        let message = Message::Binary(Bytes::from(preview.frame()));
        match audience {
            Audience::All => self.send(audience, &message, |_| true),
            Audience::Client(_) => {
                let with_metadata = preview.framing == Framing::WithMetadata;
                self.send(audience, &message, |connection| {
                    connection.wants_metadata.load(Ordering::Acquire) == with_metadata
                });
            }
        }
    }
}

/// Whether the client is still with us after this message.
fn deliver(sid: &str, connection: &Connection, message: &Message, lifetime: Lifetime) -> bool {
    let delivered = connection.outbox.push(message.clone(), lifetime).is_ok();
    if !delivered {
        tracing::warn!(
            client = sid,
            "a websocket client does not read its messages and was disconnected"
        );
    }
    delivered
}

impl EventSink for Hub {
    fn publish(&self, audience: Audience, event: Event) {
        match event {
            Event::Text(event) => {
                // How many prompts wait is old news once the next count is there.
                let lifetime = match event {
                    TextEvent::Status(_) => Lifetime::UntilTheNext,
                    _ => Lifetime::Lasting,
                };
                if let Some(message) = text(&event) {
                    self.send_for(&audience, &message, lifetime, |_| true);
                }
            }
            Event::Preview(preview) => self.send_preview(&audience, &preview),
            Event::NodeText(text) => {
                let message = Message::Binary(Bytes::from(text.frame()));
                self.send(&audience, &message, |_| true);
            }
        }
    }
}

fn text(event: &TextEvent) -> Option<Message> {
    match serde_json::to_vec(event)
        .map(standard)
        .map(String::from_utf8)
    {
        Ok(Ok(text)) => Some(Message::text(text)),
        Ok(Err(error)) => {
            tracing::error!(%error, "an event is no text");
            None
        }
        Err(error) => {
            tracing::error!(%error, "an event could not be written as JSON");
            None
        }
    }
}
