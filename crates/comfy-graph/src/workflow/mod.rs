//! Saved workflows of the browser front end, turned into prompts.
//!
//! A workflow is what the front end saves: nodes with positions, links, and widget values without names. A prompt is what the
//! engine runs. The conversion needs the node classes as `/object_info` lists them (for the names and order of widgets), but
//! no implementation of them. It is done in four steps:
//!
//! 1. `document` and `groups` read the file into plain graphs; group nodes of old files become subgraphs.
//! 2. `prepare` gives every node its inputs and named widget values, with `layout` for what a class has on the front end.
//! 3. `scope` lists all instances of subgraphs, nested ones too.
//! 4. `emit` writes the nodes that run; `resolve` follows each link to the output or value at its other end, `primitive` fits the
//!    numbers of primitive nodes to the widgets that get them, and `text` does to texts what the front end does when it queues.
//!
//! No step recurses over the file, and all sizes are capped.

mod bypass;
mod document;
mod emit;
mod error;
mod groups;
mod layout;
mod prepare;
mod primitive;
mod resolve;
mod scope;
mod text;
mod values;

#[cfg(test)]
mod tests;

pub use error::{UnknownClass, WorkflowError};
pub use text::LocalTime;

use crate::Json;
use comfy_api::object_info::{NodeInfo, ObjectInfo};

/// The node classes that a conversion may use.
pub trait NodeClasses {
    /// The entry of a class in `/object_info`.
    fn info(&self, class: &str) -> Option<NodeInfo>;

    /// The names of all classes, from which near ones are offered for an unknown one.
    fn names(&self) -> Vec<String>;
}

impl NodeClasses for ObjectInfo {
    fn info(&self, class: &str) -> Option<NodeInfo> {
        self.get(class).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// What a conversion takes from outside.
pub struct Surroundings<'a> {
    /// The node classes.
    pub classes: &'a dyn NodeClasses,
    /// Picks one of the given number of choices of a dynamic prompt: an index below it.
    pub choose: &'a mut dyn FnMut(usize) -> usize,
    /// The time that `%date:…%` in file names stands for.
    pub now: LocalTime,
}

/// Whether a JSON document is a saved workflow rather than a prompt.
pub fn is_workflow(json: &Json) -> bool {
    json.get("nodes").is_some_and(Json::is_array)
        && json
            .get("links")
            .is_none_or(|links| links.is_array() || links.is_object())
}

/// The prompt that the front end would queue for a saved workflow.
///
/// Accepts the versions 0.4 and 1 of the format.
pub fn prompt_from_workflow(
    workflow: &Json,
    surroundings: &mut Surroundings<'_>,
) -> Result<Json, WorkflowError> {
    let mut document = document::Document::read(workflow)?;
    groups::unfold(workflow, &mut document, surroundings.classes)?;
    let prepared = prepare::Prepared::new(&document, surroundings.classes);
    let scopes = scope::Scopes::new(&document)?;
    emit::Emission::new(&document, prepared, scopes).run(surroundings)
}
