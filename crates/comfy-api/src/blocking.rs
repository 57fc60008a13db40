//! `/api/v1/prompts`: run a prompt and wait for its result in one request.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::history::{Outputs, StatusMessage, StatusText};
use crate::prompt::PromptNode;

/// The result of a prompt that produced pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "urls": [
        "http://127.0.0.1:8188/view?filename=ComfyUI_00001_.png&type=output",
        "https://comfyui.example.com/view?filename=ComfyUI_00001_.png&type=output",
    ],
    "outputs": {},
}))]
pub struct GeneratedOutputs {
    /// Two addresses for each picture, in the order of the outputs: at this server's own address, then at the address given by `--external-address`.
    pub urls: Vec<String>,
    /// What every node of the prompt showed. Each file carries `abs_path`, its path on the server.
    pub outputs: Outputs,
}

/// A prompt as it is posted, for the document; the server itself keeps prompts as JSON.
#[derive(Debug)]
pub enum PromptDocument {}

impl PartialSchema for PromptDocument {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some(
                "Nodes by id. The last prompt that has run is returned by GET /api/v1/prompts.",
            ))
            .additional_properties(Some(AdditionalProperties::RefOr(
                Ref::from_schema_name("PromptNode").into(),
            )))
            .into()
    }
}

impl ToSchema for PromptDocument {
    fn name() -> Cow<'static, str> {
        "Prompt".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((PromptNode::name().into_owned(), PromptNode::schema()));
        PromptNode::schemas(schemas);
    }
}

/// The form that carries a prompt together with files.
#[derive(Debug, ToSchema)]
pub struct PromptForm {
    /// The prompt as JSON; also accepted: an object with the prompt as its member `prompt`.
    #[schema(value_type = PromptDocument)]
    pub prompt: String,
    /// Files to store in the input directory, under the file name of their part, before the prompt is checked. A file of the same name is replaced.
    #[schema(value_type = Option<Vec<crate::document::FileBytes>>, nullable = false)]
    pub files: Option<Vec<Vec<u8>>>,
}

/// The prompt was queued; ask for its result later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedPrompt {
    /// The identifier of the prompt, for `GET /api/v1/prompts/{prompt_id}`.
    pub prompt_id: String,
}

/// The prompt ran and failed, or was interrupted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunFailure {
    /// `error`.
    pub status_str: StatusText,
    /// False.
    pub completed: bool,
    /// The events that tell what happened.
    pub messages: Vec<StatusMessage>,
}
