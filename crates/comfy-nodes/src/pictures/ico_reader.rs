//! Windows icons. A file holds the same picture in several sizes; the largest counts.

use image::ImageFormat;
use image::metadata::Orientation;

use super::png_reader;
use super::read::{Frame, ReadError, ReadLimits, read_one};

/// Length of the header and of an entry of the directory.
const HEADER: usize = 6;
const ENTRY: usize = 16;

/// Reads the largest picture.
pub(super) fn read(
    bytes: &[u8],
    limits: &ReadLimits,
) -> Result<(Vec<Frame>, Orientation), ReadError> {
    // Pictures inside are bitmaps or whole PNG files. Those of any kind are read here; the image crate wants four channels.
    if let Some(picture) = largest(bytes).filter(|picture| picture.starts_with(b"\x89PNG")) {
        return png_reader::read(picture, limits);
    }
    let (frame, orientation) = read_one(bytes, ImageFormat::Ico, limits)?;
    Ok((vec![frame], orientation))
}

/// The bytes of the largest picture, and among those of the one with the fewest bits per pixel, as PIL chooses.
fn largest(bytes: &[u8]) -> Option<&[u8]> {
    let count = u16::from_le_bytes(bytes.get(4..HEADER)?.try_into().ok()?);
    let entries = bytes.get(HEADER..)?.chunks_exact(ENTRY);
    let entry = entries.take(count.into()).min_by_key(|entry| {
        // A side of 256 is written as 0.
        let side = |value: u8| u32::from(value.wrapping_sub(1)) + 1;
        let depth = u16::from_le_bytes([entry[6], entry[7]]);
        (std::cmp::Reverse(side(entry[0]) * side(entry[1])), depth)
    })?;
    let number =
        |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
    let start = number(12) as usize;
    bytes.get(start..start.checked_add(number(8) as usize)?)
}
