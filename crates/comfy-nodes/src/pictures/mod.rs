//! Picture files: reading them as [`LoadImage`](crate::nodes::LoadImage) does, writing PNG and WebP with metadata.

mod animated_png;
mod animation;
mod ico_reader;
mod jpeg_reader;
mod jxl_reader;
mod orientation;
mod png_reader;
mod read;
mod tiff_pages;
mod webp_reader;
mod webp_writer;
mod write;

pub use animated_png::{AnimationFrame, encode_animated_png};
pub use read::{Frame, Picture, ReadError, ReadLimits, read, read_bytes};
pub use webp_writer::{WebpOptions, encode_webp};
pub use write::{Compression, NewFile, PngText, WriteError, encode_png, save_new};

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod writing_tests;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod pillow_tests;
