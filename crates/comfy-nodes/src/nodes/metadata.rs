//! What is stored in saved files beside their contents, so that they can be opened as a workflow again.

use comfy_graph::{ExtraPngInfo, Json, NodeError, PromptJson, python_json};

/// The prompt under `prompt`, and what the client wants stored, as JSON texts in Python's spelling.
pub(super) fn texts(
    prompt: &PromptJson,
    extra: &ExtraPngInfo,
) -> Result<Vec<(String, String)>, NodeError> {
    let values = values(prompt, extra)?;
    Ok(values
        .into_iter()
        .map(|(keyword, value)| (keyword, python_json::to_string(&value)))
        .collect())
}

/// As [`texts`], before they are written as JSON.
pub(super) fn values(
    prompt: &PromptJson,
    extra: &ExtraPngInfo,
) -> Result<Vec<(String, Json)>, NodeError> {
    let mut values = Vec::new();
    if !prompt.0.is_null() {
        values.push(("prompt".to_owned(), Json::clone(&prompt.0)));
    }
    match &*extra.0 {
        Json::Null => {}
        Json::Object(members) => {
            let members = members.iter();
            values.extend(members.map(|(keyword, value)| (keyword.clone(), value.clone())));
        }
        _ => {
            return Err(NodeError::value(
                "expected extra_pnginfo to be an object of metadata, got something else",
            ));
        }
    }
    Ok(values)
}
