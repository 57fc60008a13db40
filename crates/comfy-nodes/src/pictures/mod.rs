//! Picture files: reading them as [`LoadImage`](crate::nodes::LoadImage) does, writing PNG with metadata.

mod animation;
mod png_reader;
mod read;
mod write;

pub use read::{Frame, Picture, ReadError, ReadLimits, read, read_bytes};
pub use write::{Compression, PngText, WriteError, encode_png, save_new};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
