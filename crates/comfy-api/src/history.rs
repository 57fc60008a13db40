//! The history: `GET /history`, `GET /history/{prompt_id}` and what the blocking API answers from.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::queue::QueueTuple;

/// Finished prompts by id, the oldest first: the answer of `GET /history` and of `GET /history/{prompt_id}`.
///
/// Entries are shared with the engine, so taking a snapshot copies no document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History(pub IndexMap<String, Arc<HistoryEntry>>);

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(id, entry)| (id, &**entry)))
    }
}

impl PartialSchema for History {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some("Finished prompts by id, the oldest first."))
            .additional_properties(Some(AdditionalProperties::RefOr(
                Ref::from_schema_name("HistoryEntry").into(),
            )))
            .into()
    }
}

impl ToSchema for History {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((HistoryEntry::name().into_owned(), HistoryEntry::schema()));
        HistoryEntry::schemas(schemas);
    }
}

/// One finished prompt: what was asked, what came out, and how it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The prompt as it was queued.
    pub prompt: QueueTuple,
    /// Node id → what the node shows to the user, for every node that shows something.
    #[schema(value_type = Outputs)]
    pub outputs: IndexMap<String, Value>,
    /// How it went.
    pub status: ExecutionStatus,
    /// Node id → where the front end shows that node's output.
    #[schema(value_type = std::collections::BTreeMap<String, NodeMeta>)]
    pub meta: IndexMap<String, NodeMeta>,
}

/// How a prompt went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExecutionStatus {
    /// `success` or `error`.
    pub status_str: StatusText,
    /// Whether it ran to its end. False for a failed and for an interrupted prompt.
    pub completed: bool,
    /// The events that tell the story, in order.
    pub messages: Vec<StatusMessage>,
}

/// The outcome in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatusText {
    /// It ran to its end.
    Success,
    /// A node failed, or it was interrupted.
    Error,
}

/// `[event, data]`: one of `execution_start`, `execution_cached`, `execution_success`, `execution_error` and `execution_interrupted` with its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusMessage(pub String, pub Value);

impl PartialSchema for StatusMessage {
    fn schema() -> RefOr<Schema> {
        let of = |kind| Schema::Object(ObjectBuilder::new().schema_type(kind).build());
        ArrayBuilder::new()
            .description(Some("What happened and its data: `[event, data]`."))
            .prefix_items([of(Type::String), of(Type::Object)])
            .min_items(Some(2))
            .max_items(Some(2))
            .into()
    }
}

impl ToSchema for StatusMessage {}

/// Which node of the user's graph an output belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeMeta {
    /// The node that ran.
    pub node_id: String,
    /// The node that shows it.
    pub display_node: String,
    /// The node that made this one, if it was made while running.
    pub parent_node: Option<String>,
    /// The node of the submitted prompt that it stems from.
    pub real_node_id: String,
}

/// Node id → what that node shows to the user.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outputs(pub IndexMap<String, Value>);

impl PartialSchema for Outputs {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .description(Some(
                "The keys are node ids, the values are what the nodes show.",
            ))
            .additional_properties(Some(AdditionalProperties::RefOr(
                Ref::from_schema_name("Output").into(),
            )))
            .into()
    }
}

impl ToSchema for Outputs {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Output::name().into_owned(), Output::schema()));
        Output::schemas(schemas);
    }
}

/// What a node shows to the user: lists by kind, such as `images`. Nodes may add kinds of their own, whose items need not be files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Output {
    /// Pictures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<FileOutput>,
    /// Latents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latents: Vec<FileOutput>,
    /// Every other kind.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    pub others: IndexMap<String, Value>,
}

/// A file that a node wrote; `GET /view` with these three parameters reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FileOutput {
    /// The name of the file.
    pub filename: String,
    /// The directory below that of `type`; empty for the top.
    pub subfolder: String,
    /// `output`, `input` or `temp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The path on the server. Never sent to clients that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abs_path: Option<String>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_round_trips_in_comfyuis_shape() {
        let entry = json!({
            "prompt": [0, "p", {"9": {"class_type": "SaveImage", "inputs": {}}}, {"client_id": "c"}, ["9"]],
            "outputs": {"9": {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}]}},
            "status": {"status_str": "success", "completed": true, "messages": [["execution_start", {"prompt_id": "p", "timestamp": 1}]]},
            "meta": {"9": {"node_id": "9", "display_node": "9", "parent_node": null, "real_node_id": "9"}},
        });
        let parsed: HistoryEntry = serde_json::from_value(entry.clone()).unwrap();
        assert_eq!(parsed.status.status_str, StatusText::Success);
        assert_eq!(serde_json::to_string(&parsed).unwrap(), entry.to_string());
        let history = History(IndexMap::from([("p".to_owned(), Arc::new(parsed))]));
        assert_eq!(
            serde_json::to_value(&history).unwrap(),
            json!({ "p": entry })
        );
    }

    #[test]
    fn an_output_keeps_kinds_it_does_not_know() {
        let output = json!({"images": [{"filename": "a.png", "subfolder": "s", "type": "temp"}], "animated": [true]});
        let parsed: Output = serde_json::from_value(output.clone()).unwrap();
        assert_eq!(parsed.images[0].kind, "temp");
        assert_eq!(serde_json::to_value(&parsed).unwrap(), output);
    }
}
