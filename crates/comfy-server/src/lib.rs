//! The HTTP and websocket server: router, state, storage and the command line.
//!
//! [`Server::builder`] takes a [`Config`] and further node classes, and starts everything on threads of its own:
//!
//! ```no_run
//! use comfy_server::{Config, Server};
//!
//! let server = Server::builder(Config { port: 0, ..Config::default() }).start()?;
//! println!("{}", server.base_url());
//! server.shutdown();
//! # Ok::<(), comfy_server::StartError>(())
//! ```
//!
//! This crate knows HTTP statuses and nothing of how a node computes.

pub mod allocator;
mod asyncapi;
mod body;
pub mod cli;
mod config;
mod connection;
mod documentation;
mod error;
mod front_end;
mod incoming;
mod key;
mod listen;
mod loaders;
pub mod logging;
mod middleware;
mod negotiate;
mod openapi;
mod query;
mod reply;
mod routes;
pub mod run;
mod server;
mod state;
mod tls;
mod users;
mod walk;
mod whole_file;
mod workflow;
mod ws;

pub use asyncapi::asyncapi;
pub use config::Config;
pub use documentation::{Page, node_pages};
pub use key::{ApiKey, EmptyKey};
pub use listen::ListenError;
pub use openapi::openapi;
pub use routes::router;
pub use server::{RunningServer, Server, ServerBuilder, StartError};
pub use state::AppState;
pub use tls::{TlsError, TlsFiles};
