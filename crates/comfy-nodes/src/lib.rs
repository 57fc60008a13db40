//! `ComfyUI`'s built-in node classes and the socket types that travel between them.
//!
//! [`register`] adds the classes to a registry; nodes of another crate are added the same way (see `examples/custom_node.rs`). The
//! application offers a [`Runtime`](runtime::Runtime), which knows the folders and opens the device when a node first needs it.
//!
//! This crate knows no HTTP and no queue. Files are reached through [`folders`] alone, so that no name from a client leaves its
//! directory.

mod embeddings;
pub mod errors;
pub mod folders;
pub mod nodes;
pub mod pictures;
mod pipelines;
pub mod pixels;
pub mod planes;
pub mod preview;
pub mod resize;
pub mod runtime;
pub mod sockets;
pub mod text;
mod tiny;

pub use comfy_diffusion::device;
pub use nodes::register;
