//! `ComfyUI`'s built-in node classes and the socket types that travel between them.

pub mod folders;
pub mod pictures;
pub mod resize;
