//! Inputs that the engine fills in.

use crate::{Graph, Input, InputError, Json, Section, Slot, Socket};
use std::ops::Deref;
use std::sync::Arc;

/// The whole prompt as it runs, with the fingerprints that were found; JSON null outside an engine.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptJson(pub Arc<Json>);

/// What the client wants written into saved pictures (`extra_data.extra_pnginfo`), or JSON null.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtraPngInfo(pub Arc<Json>);

/// The id of the node in its prompt; results of a node that asks for it are only reused under the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueId(pub String);

/// The client's token for nodes that call paid services, if it sent one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthToken(pub Option<String>);

/// The client's key for nodes that call paid services, if it sent one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey(pub Option<String>);

/// The graph as it is at this moment, with the nodes that were added while it ran.
#[derive(Debug, Clone)]
pub struct DynamicPrompt(pub Arc<Graph>);

impl Deref for DynamicPrompt {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.0
    }
}

/// The wire types of the inputs that the engine fills in, whatever a prompt says.
pub(crate) const FILLED_IN: [&str; 6] = [
    "PROMPT",
    "DYNPROMPT",
    "EXTRA_PNGINFO",
    "UNIQUE_ID",
    "AUTH_TOKEN_COMFY_ORG",
    "API_KEY_COMFY_ORG",
];

macro_rules! hidden {
    ($rust:ty, $socket:ident, $wire:literal, $read:expr) => {
        /// Names the type on the wire; no value of it travels.
        #[derive(Debug, Clone)]
        pub struct $socket;

        impl Socket for $socket {
            const TYPE: &'static str = $wire;
        }

        impl Input for $rust {
            type Socket = $socket;

            const SECTION: Section = Section::Hidden;

            fn read(name: &str, slot: Option<Slot>) -> Result<Self, InputError> {
                let slot = slot.map(|slot| slot.single(name)).transpose()?;
                let read: fn(Option<Slot>) -> Self = $read;
                Ok(read(slot))
            }
        }
    };
}

fn json(slot: Option<Slot>) -> Arc<Json> {
    match slot {
        Some(Slot::Hidden(json)) => json,
        Some(Slot::Literal(json)) => Arc::new(json),
        _ => Arc::default(),
    }
}

fn text(slot: Option<Slot>) -> Option<String> {
    json(slot).as_str().map(str::to_owned)
}

hidden!(PromptJson, PromptSocket, "PROMPT", |slot| PromptJson(json(
    slot
)));
hidden!(ExtraPngInfo, ExtraPngInfoSocket, "EXTRA_PNGINFO", |slot| {
    ExtraPngInfo(json(slot))
});
hidden!(UniqueId, UniqueIdSocket, "UNIQUE_ID", |slot| UniqueId(
    text(slot).unwrap_or_default()
));
hidden!(AuthToken, AuthTokenSocket, "AUTH_TOKEN_COMFY_ORG", |slot| {
    AuthToken(text(slot))
});
hidden!(ApiKey, ApiKeySocket, "API_KEY_COMFY_ORG", |slot| ApiKey(
    text(slot)
));
hidden!(DynamicPrompt, DynamicPromptSocket, "DYNPROMPT", |slot| {
    DynamicPrompt(match slot {
        Some(Slot::Graph(graph)) => graph,
        _ => Arc::default(),
    })
});
