//! A websocket client that keeps everything it hears.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::{Error, Message, WebSocket};

use crate::http::Client;

/// One message from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A text frame: `{"type", "data"}`.
    Text(Value),
    /// A binary frame.
    Binary(Vec<u8>),
}

impl Heard {
    /// The member `type` of a text frame.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::Text(message) => message["type"].as_str(),
            Self::Binary(_) => None,
        }
    }

    /// The member `data` of a text frame; null for a binary one.
    pub fn data(&self) -> &Value {
        match self {
            Self::Text(message) => &message["data"],
            Self::Binary(_) => &Value::Null,
        }
    }
}

/// An open websocket.
#[derive(Debug)]
pub struct Socket {
    socket: WebSocket<TcpStream>,
}

impl Socket {
    /// Connects to `/ws`, with a client id if one is given.
    #[track_caller]
    pub fn connect(client: &Client, client_id: Option<&str>) -> Self {
        let query = client_id
            .map(|id| format!("?clientId={id}"))
            .unwrap_or_default();
        let url = format!("ws://{}/ws{query}", client.address());
        let (socket, _) = tungstenite::client(url, client.connect())
            .unwrap_or_else(|error| panic!("no websocket: {error}"));
        Self { socket }
    }

    /// Sends a text frame.
    #[track_caller]
    pub fn send(&mut self, message: &Value) {
        self.socket
            .send(Message::text(message.to_string()))
            .unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// The next message, or nothing within `patience`. Panics when the connection ends.
    #[track_caller]
    pub fn hear(&mut self, patience: Duration) -> Option<Heard> {
        let end = Instant::now() + patience;
        loop {
            let left = end
                .saturating_duration_since(Instant::now())
                .max(Duration::from_millis(1));
            self.socket
                .get_ref()
                .set_read_timeout(Some(left))
                .expect("a time-out above zero is accepted");
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let message = serde_json::from_str(&text)
                        .unwrap_or_else(|error| panic!("a text frame is no JSON: {error}: {text}"));
                    return Some(Heard::Text(message));
                }
                Ok(Message::Binary(bytes)) => return Some(Heard::Binary(bytes.to_vec())),
                Ok(Message::Close(frame)) => panic!("the server closed the websocket: {frame:?}"),
                Ok(_) => {}
                Err(Error::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    return None;
                }
                Err(error) => panic!("the websocket broke: {error}"),
            }
        }
    }

    /// All messages up to and including the first that `is_last` accepts. Panics when it does not come within `patience`.
    #[track_caller]
    pub fn hear_until(
        &mut self,
        patience: Duration,
        mut is_last: impl FnMut(&Heard) -> bool,
    ) -> Vec<Heard> {
        let end = Instant::now() + patience;
        let mut heard = Vec::new();
        loop {
            match self.hear(end.saturating_duration_since(Instant::now())) {
                Some(message) => {
                    heard.push(message);
                    if is_last(&heard[heard.len() - 1]) {
                        return heard;
                    }
                }
                None => panic!(
                    "the expected message did not come within {patience:?}; heard: {heard:#?}"
                ),
            }
        }
    }

    /// All messages up to the end of a prompt that was sent with this socket's client id: `executing` without a node.
    #[track_caller]
    pub fn hear_prompt(&mut self, patience: Duration) -> Vec<Heard> {
        self.hear_until(patience, |message| {
            message.kind() == Some("executing") && message.data()["node"].is_null()
        })
    }

    /// The TCP connection below, for tests that do not read from it.
    pub fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }
}
