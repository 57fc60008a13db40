//! Saved workflows where a prompt is expected.

use chrono::{Datelike, Local, Timelike};
use comfy_api::error::ErrorDetail;
use comfy_api::object_info::NodeInfo;
use comfy_graph::workflow::{
    LocalTime, NodeClasses, Surroundings, WorkflowError, is_workflow, prompt_from_workflow,
};
use comfy_graph::{Catalog, NodeRegistry};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::error::ApiError;
use crate::state::AppState;

/// A prompt, and the workflow that it was made from.
#[derive(Debug, Default)]
pub(crate) struct Converted {
    /// The prompt.
    pub(crate) prompt: Json,
    /// The workflow, if that is what came.
    pub(crate) workflow: Option<Json>,
}

impl Converted {
    /// Takes a prompt as it is and turns a workflow into one.
    pub(crate) fn from_either(state: &AppState, json: Json) -> Result<Self, WorkflowError> {
        if !is_workflow(&json) {
            return Ok(Self {
                prompt: json,
                workflow: None,
            });
        }
        Self::from_workflow(state, json)
    }

    /// Turns a workflow into a prompt.
    pub(crate) fn from_workflow(state: &AppState, workflow: Json) -> Result<Self, WorkflowError> {
        let classes = Registered {
            registry: state.registry(),
            catalog: state.catalog().as_ref(),
        };
        let mut surroundings = Surroundings {
            classes: &classes,
            choose: &mut |count| (Uuid::new_v4().as_u128() % count as u128) as usize,
            now: now(),
        };
        let prompt = prompt_from_workflow(&workflow, &mut surroundings)?;
        Ok(Self {
            prompt,
            workflow: Some(workflow),
        })
    }

    /// Adds the workflow to what saved files carry, as the front end does, unless the client has sent one for them.
    pub(crate) fn describe(&mut self, extra_data: &mut Map<String, Json>) {
        let Some(workflow) = self.workflow.take() else {
            return;
        };
        let carried = extra_data
            .entry("extra_pnginfo")
            .or_insert_with(|| json!({}));
        if let Json::Object(carried) = carried {
            carried.entry("workflow").or_insert(workflow);
        }
    }
}

impl From<WorkflowError> for ApiError {
    fn from(error: WorkflowError) -> Self {
        let text = "Cannot turn the workflow into a prompt";
        let mut detail = ErrorDetail::new("invalid_prompt", text, error.to_string());
        if let WorkflowError::UnknownClasses(unknown) = &error {
            let unknown = unknown.iter().map(|class| {
                json!({"class_type": class.name, "node_ids": class.nodes, "near_names": class.near})
            });
            let unknown = unknown.collect::<Vec<_>>();
            detail
                .extra_info
                .insert("unknown_nodes".to_owned(), unknown.into());
        }
        Self::refused(detail)
    }
}

/// The classes of this server.
struct Registered<'a> {
    registry: &'a NodeRegistry,
    catalog: &'a dyn Catalog,
}

impl NodeClasses for Registered<'_> {
    fn info(&self, class: &str) -> Option<NodeInfo> {
        let class = self.registry.get(class)?;
        Some(class.schema(self.catalog).to_object_info())
    }

    fn names(&self) -> Vec<String> {
        self.registry
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

fn now() -> LocalTime {
    let now = Local::now();
    LocalTime {
        year: now.year(),
        month: now.month(),
        day: now.day(),
        hour: now.hour(),
        minute: now.minute(),
        second: now.second(),
    }
}
