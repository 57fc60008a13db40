//! Nodes on texts, and nodes that hold a value.

mod primitive;
mod regex;
mod string;

use comfy_graph::{NodeRegistry, Outputs, RegistryError};

pub use primitive::{
    PrimitiveBoolean, PrimitiveFloat, PrimitiveInt, PrimitiveString, PrimitiveStringMultiline,
    SomeBoolean, SomeFloat, SomeInt,
};
pub use regex::{ExtractMode, ExtractedText, Matches, RegexExtract, RegexMatch, RegexReplace};
pub use string::{
    CaseConverter, CaseMode, CompareMode, Contains, Length, StringCompare, StringConcatenate,
    StringContains, StringLength, StringReplace, StringSubstring, StringTrim, TrimMode,
};

/// The result of a node that makes a text.
#[derive(Debug, Outputs)]
pub struct SomeText {
    /// The text.
    #[output(name = "STRING")]
    pub text: String,
}

impl From<String> for SomeText {
    fn from(text: String) -> Self {
        Self { text }
    }
}

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<PrimitiveString>()?
        .register::<PrimitiveStringMultiline>()?
        .register::<PrimitiveInt>()?
        .register::<PrimitiveFloat>()?
        .register::<PrimitiveBoolean>()?
        .register::<StringConcatenate>()?
        .register::<StringSubstring>()?
        .register::<StringLength>()?
        .register::<CaseConverter>()?
        .register::<StringTrim>()?
        .register::<StringReplace>()?
        .register::<StringContains>()?
        .register::<StringCompare>()?
        .register::<RegexMatch>()?
        .register::<RegexExtract>()?
        .register::<RegexReplace>()?;
    Ok(())
}
