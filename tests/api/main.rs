//! Integration tests against the running server: what clients send and what they get back.
//!
//! Each test starts a server of its own on a free port, or shares [`support::shared`] when it leaves no traces that others would see.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says on the terminal what it left out"
)]

mod any_request;
mod bad_files;
mod bad_requests;
mod blocking_prompts;
mod client_rules;
mod clients;
mod demo_model;
mod front_end;
mod front_end_in_use;
mod http_recordings;
mod jobs;
mod load;
mod memory;
mod page;
mod paths;
mod safety;
mod saved_workflows;
mod shared;
mod shutdown;
mod slow_clients;
mod upload_and_view;
mod vulkan;
mod websocket_recordings;
mod workflows;
