//! The engine with toy nodes: no tensor, no model, no server.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test may fail by panicking, and reads better without borrows"
)]

mod beside;
mod caching;
mod closing;
mod diffusion;
mod expanding;
mod failing;
mod finishing;
mod flow;
mod graph_toys;
mod history;
mod interrupting;
mod jobs;
mod queueing;
mod recorder;
mod same_results;
mod scale;
mod toys;
mod transcripts;
