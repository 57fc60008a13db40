//! The queue: `GET /queue`, `POST /queue`, `GET /prompt`, `POST /interrupt` and `POST /free`.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};
use utoipa::openapi::schema::{AllOfBuilder, ArrayBuilder, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// How many prompts are running or waiting; the answer of `GET /prompt` and the body of `status` events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueStatus {
    /// Facts about the executor.
    pub exec_info: ExecutorInfo,
}

impl QueueStatus {
    /// The status of a queue with `queue_remaining` prompts, the running one included.
    pub fn new(queue_remaining: usize) -> Self {
        Self {
            exec_info: ExecutorInfo { queue_remaining },
        }
    }
}

/// Facts about the executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExecutorInfo {
    /// Prompts that run or wait.
    pub queue_remaining: usize,
}

/// The answer of `GET /queue`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueInfo {
    /// The prompt being run: one row, or none.
    pub queue_running: Vec<QueueTuple>,
    /// The prompts that wait, the next one first.
    pub queue_pending: Vec<QueueTuple>,
}

/// One queued prompt; on the wire `[number, prompt_id, prompt, extra_data, outputs_to_execute]`.
///
/// The two documents are shared, so a copy costs no more than its strings.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueTuple {
    /// Priority: the lowest number runs first. An integer if the server chose it, a float if the client did.
    pub number: Number,
    /// The identifier of the prompt.
    pub prompt_id: String,
    /// The prompt after validation: node id → node.
    pub prompt: Arc<Value>,
    /// What the client sent along, without its credentials.
    pub extra_data: Arc<Map<String, Value>>,
    /// The ids of the output nodes that will be computed.
    pub outputs_to_execute: Vec<String>,
}

impl Serialize for QueueTuple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (
            &self.number,
            &self.prompt_id,
            &*self.prompt,
            &*self.extra_data,
            &self.outputs_to_execute,
        )
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for QueueTuple {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (number, prompt_id, prompt, extra_data, outputs_to_execute) =
            Deserialize::deserialize(deserializer)?;
        Ok(Self {
            number,
            prompt_id,
            prompt: Arc::new(prompt),
            extra_data: Arc::new(extra_data),
            outputs_to_execute,
        })
    }
}

impl PartialSchema for QueueTuple {
    fn schema() -> RefOr<Schema> {
        let described = |kind: Type, text: &str| {
            Schema::Object(
                ObjectBuilder::new()
                    .schema_type(kind)
                    .description(Some(text))
                    .build(),
            )
        };
        let reference = |name: &str| {
            Schema::AllOf(
                AllOfBuilder::new()
                    .item(Ref::from_schema_name(name))
                    .build(),
            )
        };
        ArrayBuilder::new()
            .description(Some(
                "A queued prompt: `[number, prompt_id, prompt, extra_data, outputs_to_execute]`.",
            ))
            .prefix_items([
                described(Type::Number, "The priority; the lowest number runs first."),
                described(Type::String, "The identifier of the prompt."),
                reference("Prompt"),
                // Whatever was sent comes back, whether or not it has the form of `ExtraData`.
                described(Type::Object, "What accompanied the prompt, as it was sent."),
                Schema::Array(
                    ArrayBuilder::new()
                        .description(Some("The ids of the output nodes that will be computed."))
                        .items(ObjectBuilder::new().schema_type(Type::String))
                        .build(),
                ),
            ])
            .min_items(Some(3))
            .max_items(Some(5))
            .into()
    }
}

impl ToSchema for QueueTuple {}

/// The body of `POST /queue` and of `POST /history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeleteRequest {
    /// Removes everything.
    #[serde(default)]
    pub clear: bool,
    /// Removes these prompts; unknown ids are ignored.
    #[serde(default)]
    pub delete: Vec<PromptKey>,
}

/// A prompt's identifier as clients write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PromptKey {
    /// A prompt id.
    Id(String),
    /// A number; prompt ids are strings, so this names the prompt whose id has these digits.
    Number(i64),
}

impl std::fmt::Display for PromptKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => formatter.write_str(id),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}

/// The body of `POST /interrupt`; it may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterruptRequest {
    /// Interrupts only if this prompt is the one that is running.
    #[serde(default)]
    pub prompt_id: Option<String>,
}

/// The body of `POST /free`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreeRequest {
    /// Drops the weights of every model from memory; they are read again when needed.
    #[serde(default)]
    pub unload_models: bool,
    /// Drops every cached result too. Implies `unload_models`.
    #[serde(default)]
    pub free_memory: bool,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_queue_row_is_an_array_of_five() {
        let row = json!([-12, "abc", {"1": {"class_type": "X", "inputs": {}}}, {"client_id": "me"}, ["1"]]);
        let tuple: QueueTuple = serde_json::from_value(row.clone()).unwrap();
        assert_eq!(tuple.prompt_id, "abc");
        assert_eq!(serde_json::to_value(&tuple).unwrap(), row);
        // An integer stays an integer and a float a float.
        let row = json!([1.0, "abc", {}, {}, []]);
        let tuple: QueueTuple = serde_json::from_value(row).unwrap();
        assert_eq!(
            serde_json::to_string(&tuple).unwrap(),
            r#"[1.0,"abc",{},{},[]]"#
        );
    }

    #[test]
    fn delete_accepts_strings_and_numbers() {
        let request: DeleteRequest = serde_json::from_str(r#"{"delete":["a",5]}"#).unwrap();
        assert!(!request.clear);
        assert_eq!(
            request
                .delete
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["a", "5"]
        );
        assert!(serde_json::from_str::<DeleteRequest>(r#"{"delete":5}"#).is_err());
    }

    #[test]
    fn the_schema_of_a_row_has_the_five_items() {
        let RefOr::T(Schema::Array(array)) = QueueTuple::schema() else {
            panic!("an array was expected")
        };
        assert_eq!(
            (array.prefix_items.len(), array.min_items, array.max_items),
            (5, Some(3), Some(5))
        );
    }
}
