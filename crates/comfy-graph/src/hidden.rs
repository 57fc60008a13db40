//! Inputs that the engine fills in.

use crate::{Input, InputError, Json, Section, Slot, Socket};
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

            fn read(_: &str, slot: Option<Slot>) -> Result<Self, InputError> {
                let json = match slot {
                    Some(Slot::Hidden(json)) => json,
                    Some(Slot::Literal(json)) => Arc::new(json),
                    Some(Slot::Wire(_)) | None => Arc::default(),
                };
                let read: fn(Arc<Json>) -> Self = $read;
                Ok(read(json))
            }
        }
    };
}

hidden!(PromptJson, PromptSocket, "PROMPT", PromptJson);
hidden!(
    ExtraPngInfo,
    ExtraPngInfoSocket,
    "EXTRA_PNGINFO",
    ExtraPngInfo
);
hidden!(UniqueId, UniqueIdSocket, "UNIQUE_ID", |json| UniqueId(
    json.as_str().unwrap_or_default().to_owned()
));
