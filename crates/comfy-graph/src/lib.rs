//! Node schemas, prompts, validation, execution order, cache signatures and the Node trait; no tensors, no input or output.
//!
//! Three kinds of reader come here:
//!
//! - Authors of nodes derive [`NodeSpec`], implement [`Node`] and register their class in a [`NodeRegistry`].
//! - The engine validates a prompt with [`validate()`], orders it with [`order`], finds earlier results by [`signature`]
//!   and runs a [`NodeClass`] with [`Inputs`] and a [`NodeContext`].
//! - The server asks a [`NodeSchema`] for its `/object_info` entry.

extern crate self as comfy_graph;

mod blocker;
mod builder;
mod catalog;
mod choice;
mod context;
mod error;
mod finish;
mod graph;
mod hidden;
mod input;
mod node;
mod output;
mod prompt;
mod python;
mod registry;
mod returns;
mod schema;
mod services;
mod socket;
mod subgraph;
mod validate;
mod value;

pub mod documentation;
pub mod order;
pub mod python_json;
pub mod signature;
pub mod testing;
pub mod workflow;

pub use blocker::Blocker;
pub use builder::{InputBuilder, SchemaBuilder};
pub use catalog::{Catalog, EmptyCatalog};
pub use choice::Choice;
pub use comfy_node_derive::{Choice, NodeSpec, Outputs};
pub use context::{Call, Host, NodeContext, Preview, PreviewFormat};
pub use error::{InputError, NodeError, RegistryError};
pub use finish::{Finish, FinishWork};
pub use graph::{DuplicateNode, Graph};
pub use hidden::{ApiKey, AuthToken, DynamicPrompt, ExtraPngInfo, PromptJson, UniqueId};
pub use input::{Input, Inputs, Lazy, List, Needs, Plug, RawLink, Section, Slot, Undeclared};
pub use node::{Constants, Node, NodeSpec};
pub use output::{Item, Output, OutputItem, OutputSlot, Outputs};
pub use prompt::{Link, NodeOutput, Prompt, PromptError, PromptInput, PromptNode};
pub use registry::{NodeClass, NodeRegistry};
pub use returns::{Expand, Later, NodeFuture, Returned, Returns, Step};
pub use schema::{InputSpec, NodeSchema, OutputSpec, SocketType};
pub use serde_json::Value as Json;
pub use services::Services;
pub use socket::{Number, Socket, Widget};
pub use subgraph::{EditNode, NewNode, Subgraph, SubgraphNode};
pub use validate::{Invalid, Validated, validate};
pub use value::Value;

/// Runs the examples of the manual.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/writing-nodes.md")]
struct Manual;
