//! Runs graphs inside another program: the engine and the built-in nodes, without HTTP.
//!
//! A [`Session`] owns an engine, the folders and the device. A [`PromptBuilder`] describes a graph; [`Session::run`] runs it, tells how
//! far it is, and hands out the values of the outputs that were asked for: pictures as pixels, numbers as numbers.
//!
//! ```
//! use comfy_session::{PromptBuilder, Session};
//! use comfy_session::nodes::sockets::Image;
//!
//! let session = Session::builder().start()?;
//! # let picture = comfy_session::nodes::pictures::encode_png(
//! #     &[10, 20, 30], 1, 1, 3, &[], comfy_session::nodes::pictures::Compression::Fast)?;
//! # std::fs::write(session.folders().input_dir().join("dot.png"), picture)?;
//! let mut graph = PromptBuilder::default();
//! let loaded = graph.node("LoadImage").set("image", "dot.png").add();
//! let scaled = graph
//!     .node("ImageScale")
//!     .set("image", loaded.out(0))
//!     .set("upscale_method", "nearest-exact")
//!     .set("width", 4)
//!     .set("height", 2)
//!     .set("crop", "disabled")
//!     .add();
//!
//! let outcome = session.run(graph.to_json()?, &[scaled.out(0)], |event| println!("{event:?}"))?;
//! let image: Image = outcome.value(0)?;
//! assert_eq!(image.shape(), [1, 2, 4, 3]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod deliver;
mod run;
mod session;
mod watch;

pub use comfy_api::events::{Event, TextEvent};
pub use comfy_graph::{NodeOutput, Subgraph as PromptBuilder};
pub use comfy_nodes as nodes;
pub use run::{NodeFailure, Outcome, OutcomeError, RunError};
pub use session::{Session, SessionBuilder, StartError};

/// Runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
