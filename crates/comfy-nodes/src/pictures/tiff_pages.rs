//! TIFF files of several pages.
//!
//! The decoder reads the page that the header points to, so the header is made to point to one page after the other.

use image::ImageFormat;
use image::metadata::Orientation;

use super::read::{Frame, ReadError, ReadLimits, read_one};

/// More pages than any file has that is meant for us.
const MOST_PAGES: usize = 10_000;

/// Reads all pages; the first one says how they are turned.
pub(super) fn read(
    bytes: &[u8],
    limits: &ReadLimits,
) -> Result<(Vec<Frame>, Orientation), ReadError> {
    let (first, orientation) = read_one(bytes, ImageFormat::Tiff, limits)?;
    let mut pixels = first.width as u64 * first.height as u64;
    let mut frames = vec![first];
    let mut file = Vec::new();
    for offset in page_offsets(bytes).into_iter().skip(1) {
        if file.is_empty() {
            file = bytes.to_vec();
        }
        file[4..8].copy_from_slice(&offset);
        let rest = ReadLimits {
            pixels: limits.pixels.saturating_sub(pixels),
            ..*limits
        };
        let (frame, _) = read_one(&file, ImageFormat::Tiff, &rest)?;
        pixels += frame.width as u64 * frame.height as u64;
        frames.push(frame);
    }
    Ok((frames, orientation))
}

/// Where the pages begin, as the header writes it. The larger kind of TIFF, with 64 bits, is taken as a single page.
fn page_offsets(bytes: &[u8]) -> Vec<[u8; 4]> {
    let big_endian = bytes.starts_with(b"MM");
    let field = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied();
    let number = |field: [u8; 4]| {
        let number = if big_endian {
            u32::from_be_bytes(field)
        } else {
            u32::from_le_bytes(field)
        };
        number as usize
    };
    let is_classic = bytes
        .get(2..4)
        .is_some_and(|magic| magic == [42, 0] || magic == [0, 42]);
    let mut offsets: Vec<[u8; 4]> = Vec::new();
    let mut next = field(4).filter(|_| is_classic);
    while let Some(offset) = next {
        // A loop of pages ends where it began.
        if number(offset) == 0 || offsets.contains(&offset) || offsets.len() >= MOST_PAGES {
            break;
        }
        offsets.push(offset);
        let at = number(offset);
        let count = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>());
        let count = count.map(|count| {
            if big_endian {
                u16::from_be_bytes(*count)
            } else {
                u16::from_le_bytes(*count)
            }
        });
        next = count.and_then(|count| field(at + 2 + usize::from(count) * 12));
    }
    offsets
}
