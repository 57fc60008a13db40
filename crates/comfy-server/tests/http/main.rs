//! The server over its sockets, with toy nodes: no model is needed.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod blocking;
mod client;
mod docs;
mod encryption;
mod events;
mod forms;
mod middleware;
mod page;
mod prompts;
mod stopping;
mod toys;
mod viewing;
