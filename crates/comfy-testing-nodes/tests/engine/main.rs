//! What ComfyUI's execution tests ask of a server, asked of the engine: with the testing nodes, without HTTP and without files.
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod bench;
mod blocking;
mod caching;
mod checking;
mod choosing;
mod expanding;
mod isolating;
mod lists;
mod mixing;
mod waiting;
