//! The `AsyncAPI` document: what is said over the websocket, in both directions.
//!
//! The schemas of text messages are those of the OpenAPI document; what a schema cannot say, the layout of binary messages, is said here.

use std::collections::BTreeMap;

use comfy_api::events::PreviewSource;
use serde_json::{Map, Value as Json, json};
use utoipa::PartialSchema as _;

/// The document.
pub fn asyncapi() -> Json {
    let openapi = serde_json::to_value(crate::openapi()).unwrap_or_default();
    let schemas = &openapi["components"]["schemas"];
    let texts = text_messages(&schemas["TextEvent"]);
    let mut messages: Map<String, Json> = texts.into_iter().chain(binary_messages()).collect();
    let mut used = BTreeMap::new();
    for message in messages.values() {
        collect(message, schemas, &mut used);
    }
    let sent: Map<String, Json> = reference_all(messages.keys());
    messages.insert("client_feature_flags".to_owned(), feature_flags_of_client());
    let in_channel = |names: Vec<&String>| -> Vec<Json> {
        let names = names.into_iter();
        names
            .map(|name| json!({"$ref": format!("#/channels/websocket/messages/{name}")}))
            .collect()
    };
    let to_clients = in_channel(sent.keys().collect());
    let mut all = sent;
    all.extend(reference_all(std::iter::once(
        &"client_feature_flags".to_owned(),
    )));
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "comfyui websocket",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the server says over /ws while prompts run. Text messages are JSON objects with `type` and `data`; binary \
                messages begin with a big-endian 32-bit number that tells their kind. Clients must pass over types and kinds they do not know.",
        },
        "servers": {"local": {"host": "localhost:8188", "protocol": "ws"}},
        "channels": {"websocket": {
            "address": "/ws",
            "description": "Also at /api/ws. With a key, the query has `token`, or the handshake a header `Authorization`.",
            "messages": all,
            "bindings": {"ws": {"query": {"type": "object", "properties": {
                "clientId": {"type": "string", "description": "The id of the client; the events of prompts with the same `client_id` are sent here. Without it the server chooses one."},
                "token": {"type": "string", "description": "The key of the server, if it has one."},
            }}}},
        }},
        "operations": {
            "watch": {
                "action": "send",
                "channel": {"$ref": "#/channels/websocket"},
                "summary": "The server tells what happens. The first message is `status` with the client's id as `sid`.",
                "messages": to_clients,
            },
            "negotiate": {
                "action": "receive",
                "channel": {"$ref": "#/channels/websocket"},
                "summary": "A client may tell in its first message what it understands; the server answers with its own `feature_flags`.",
                "messages": [{"$ref": "#/channels/websocket/messages/client_feature_flags"}],
            },
        },
        "components": {"messages": messages, "schemas": used},
    })
}

fn reference_all<'a>(names: impl Iterator<Item = &'a String>) -> Map<String, Json> {
    names
        .map(|name| {
            let reference = json!({"$ref": format!("#/components/messages/{name}")});
            (name.clone(), reference)
        })
        .collect()
}

/// One message for each alternative of the schema of text messages.
fn text_messages(schema: &Json) -> Vec<(String, Json)> {
    let alternatives = schema["oneOf"].as_array().into_iter().flatten();
    alternatives
        .filter_map(|payload| {
            let kind = payload["properties"]["type"]["enum"][0].as_str()?;
            let message = json!({
                "name": kind, "summary": payload["description"], "contentType": "application/json", "payload": payload,
            });
            Some((kind.to_owned(), message))
        })
        .collect()
}

fn binary_messages() -> Vec<(String, Json)> {
    let message = |name: &str, summary: &str, layout: &str| {
        let message = json!({
            "name": name, "summary": summary, "description": layout, "contentType": "application/octet-stream",
            "payload": {"type": "string", "format": "binary"},
        });
        (name.to_owned(), message)
    };
    let mut with_metadata = message(
        "preview_with_metadata",
        "A preview picture and what it belongs to, for clients that announced `supports_preview_metadata`.",
        "The number 4; the length of the metadata in bytes as a big-endian 32-bit number; the metadata as JSON; the picture. \
         The schema of the metadata is in `x-metadata`.",
    );
    let mut metadata = serde_json::to_value(PreviewSource::schema()).unwrap_or_default();
    metadata["properties"]["image_type"] = json!({"type": "string", "enum": ["image/jpeg", "image/png"], "description": "The media type of the picture."});
    if let Some(Json::Array(required)) = metadata.get_mut("required") {
        required.push("image_type".into());
    }
    with_metadata.1["x-metadata"] = metadata;
    vec![
        message(
            "preview",
            "A preview picture of the node that runs.",
            "The number 1; the format as a big-endian 32-bit number, 1 for JPEG and 2 for PNG; the picture.",
        ),
        message(
            "text",
            "Words to show at a node.",
            "The number 3; the length of the node's id in bytes as a big-endian 32-bit number; the id; the text in UTF-8.",
        ),
        with_metadata,
    ]
}

fn feature_flags_of_client() -> Json {
    json!({
        "name": "client_feature_flags", "summary": "What the client understands. Only the first message of a connection counts.",
        "contentType": "application/json",
        "payload": {
            "type": "object", "required": ["type", "data"],
            "properties": {
                "type": {"type": "string", "enum": ["feature_flags"]},
                "data": {"type": "object", "additionalProperties": true, "properties": {
                    "supports_preview_metadata": {"type": "boolean", "description": "Previews are to come with their metadata."},
                }},
            },
        },
        "examples": [{"payload": {"type": "feature_flags", "data": {"supports_preview_metadata": true}}}],
    })
}

/// The schemas that a value refers to, with those that these refer to.
fn collect(value: &Json, schemas: &Json, found: &mut BTreeMap<String, Json>) {
    match value {
        Json::Object(members) => {
            let reference = members.get("$ref").and_then(Json::as_str);
            let name = reference.and_then(|text| text.strip_prefix("#/components/schemas/"));
            if let Some(name) = name
                && !found.contains_key(name)
            {
                found.insert(name.to_owned(), schemas[name].clone());
                collect(&schemas[name], schemas, found);
            }
            members
                .values()
                .for_each(|value| collect(value, schemas, found));
        }
        Json::Array(items) => items
            .iter()
            .for_each(|value| collect(value, schemas, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = asyncapi();
        let text = document.to_string();
        let mut count = 0;
        for part in text.split("\"$ref\":\"#").skip(1) {
            let pointer = part.split('"').next().unwrap_or_default();
            let target = document.pointer(pointer);
            assert!(target.is_some_and(Json::is_object), "{pointer}");
            count += 1;
        }
        assert!(count > 40, "{count}");
    }

    #[test]
    fn every_message_is_there() {
        let document = asyncapi();
        let messages = document["components"]["messages"]
            .as_object()
            .expect("messages");
        for name in [
            "status",
            "execution_start",
            "execution_cached",
            "executing",
            "progress",
            "progress_state",
            "executed",
            "execution_success",
            "execution_error",
            "execution_interrupted",
            "feature_flags",
            "logs",
            "preview",
            "preview_with_metadata",
            "text",
            "client_feature_flags",
        ] {
            let message = messages
                .get(name)
                .unwrap_or_else(|| panic!("{name} is missing"));
            assert!(message["payload"].is_object() && message["summary"].is_string());
        }
        assert_eq!(messages.len(), 16, "{:?}", messages.keys());
        let metadata = &messages["preview_with_metadata"]["x-metadata"];
        assert!(metadata["properties"]["node_id"].is_object(), "{metadata}");
    }
}
