//! What is kept from one prompt to the next.

mod instances;
mod results;

pub(crate) use instances::{Instance, InstanceCache};
pub(crate) use results::{NodeResult, ResultCache};

/// The node of the client, by id and class, behind a node that was added while a prompt ran.
///
/// What such nodes leave is kept as long as their owner is part of the prompts that run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) node_id: String,
    pub(crate) class: String,
}
