//! Wire types of ComfyUI's HTTP and websocket API, and nothing else.

pub mod blocking;
pub mod document;
pub mod error;
pub mod events;
pub mod history;
pub mod internal;
pub mod jobs;
pub mod models;
pub mod object_info;
pub mod prompt;
pub mod queue;
pub mod subgraphs;
pub mod system;
pub mod upload;
pub mod users;
pub mod view;
pub mod workflow;
