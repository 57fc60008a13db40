//! Reading weights: one memory-mapped file, safetensors or pickled by PyTorch; names, shapes and element types first, tensors when
//! asked for.
//!
//! Opening a file reads its header and nothing else, and the header is checked as a whole against the file's length, so that
//! whatever [`Weights`] lists can be read. Models are built from a [`Scope`], a place within the file's names; widths come from
//! [`Scope::shape`], never from a table of known models.

mod element;
mod file;
mod header;
pub mod patch;
mod pickle;
mod place;
mod rounding;
mod scale;
mod scope;
mod source;
mod writer;

pub use file::{View, Weights};
pub(crate) use place::Place;
pub use rounding::Rounding;
pub use safetensors::Dtype;
pub use scope::{Scope, Width};
pub use source::TensorSource;
pub use writer::{Outgoing, Stored, WriteFailure, write_weights};

#[cfg(test)]
mod tests;
