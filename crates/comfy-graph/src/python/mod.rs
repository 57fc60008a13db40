//! Python's texts for values, which ComfyUI's messages contain, and its conversions between types.

mod convert;
mod text;

pub(crate) use convert::{Exception, compare, convert, equal, shown};
pub(crate) use text::{float_repr, text, type_name};

#[cfg(test)]
mod tests;
