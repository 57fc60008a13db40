//! The websocket: who is connected, what waits to be sent to whom, and one connection's life.

mod hub;
mod outbox;
mod socket;

pub(crate) use hub::Hub;
pub(crate) use socket::{__path_websocket, websocket};
