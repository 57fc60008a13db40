//! WebP, still and animated. The frames of an animation are taken out of the container (RFC 9649), decoded one by one, and painted
//! with libwebp's arithmetic.

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder};

use super::animation::{Afterwards, Blending, Canvas, Placement};
use super::orientation;
use super::read::{Frame, ReadError, ReadLimits, cut_off, read_still};

/// Flags of the header `VP8X`.
const IS_ANIMATED: u8 = 0x02;
const HAS_ALPHA: u8 = 0x10;
/// Flags of a frame.
const NOT_BLENDED: u8 = 0x02;
const CLEARED: u8 = 0x01;

/// Reads all frames.
pub(super) fn read(
    bytes: &[u8],
    limits: &ReadLimits,
) -> Result<(Vec<Frame>, Orientation), ReadError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into(), 1)?;
    decoder.set_limits(limits.for_decoder())?;
    // The decoder would believe what a chunk says of its length, and make room for it.
    let exif = metadata(bytes, *b"EXIF");
    // Some programs, PIL with animations, write the mark that JPEG wants before EXIF.
    let exif = exif.and_then(|chunk| {
        let chunk = chunk.strip_prefix(b"Exif\0\0").unwrap_or(chunk);
        Orientation::from_exif_chunk(chunk)
    });
    let xmp = metadata(bytes, *b"XMP ");
    let orientation = orientation::of(exif.map(Orientation::to_exif), xmp);
    let frames = match animation_of(bytes) {
        Some(flags) => read_frames(bytes, (width, height), flags & HAS_ALPHA != 0, limits)?,
        None => vec![read_still(decoder, limits, cut_off)?],
    };
    Ok((frames, orientation))
}

/// The flags of the header that files have in which there is more than a picture.
fn flags_of(bytes: &[u8]) -> Option<u8> {
    let (name, header) = chunks(bytes.get(12..)?).next()?;
    let flags = *header.first()?;
    (name == *b"VP8X").then_some(flags)
}

/// The flags of an animation's header.
fn animation_of(bytes: &[u8]) -> Option<u8> {
    flags_of(bytes).filter(|flags| flags & IS_ANIMATED != 0)
}

/// The chunk of that name beside the picture.
fn metadata(bytes: &[u8], wanted: [u8; 4]) -> Option<&[u8]> {
    flags_of(bytes)?;
    let (_, contents) = chunks(&bytes[12..]).find(|(name, _)| *name == wanted)?;
    Some(contents)
}

/// The chunks one after the other, name and contents, as far as they are whole.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let contents = after.get(..length)?;
        rest = after.get(length + length % 2..).unwrap_or_default();
        Some((*name, contents))
    })
}

fn number24(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16
}

fn read_frames(
    bytes: &[u8],
    (width, height): (u32, u32),
    has_alpha: bool,
    limits: &ReadLimits,
) -> Result<Vec<Frame>, ReadError> {
    let broken = |what: &str| ReadError::Broken(format!("a frame of the WebP animation {what}"));
    let size = (width as usize, height as usize);
    let mut canvas = Canvas::new(size.0, size.1);
    let mut frames = Vec::new();
    for (name, contents) in chunks(&bytes[12..]) {
        if name != *b"ANMF" {
            continue;
        }
        limits.check(width.into(), height.into(), frames.len() as u64 + 1)?;
        let (header, data) = contents
            .split_at_checked(16)
            .ok_or_else(|| broken("is cut off"))?;
        let placement = Placement {
            left: number24(&header[..3]) * 2,
            top: number24(&header[3..6]) * 2,
            width: number24(&header[6..9]) + 1,
            height: number24(&header[9..12]) + 1,
            blending: if header[15] & NOT_BLENDED == 0 {
                Blending::WebP
            } else {
                Blending::Replace
            },
            afterwards: if header[15] & CLEARED == 0 {
                Afterwards::Keep
            } else {
                Afterwards::Clear
            },
        };
        if placement.left + placement.width > size.0 || placement.top + placement.height > size.1 {
            return Err(broken("lies outside of the picture"));
        }
        let still = still_of(data, placement.width, placement.height);
        let mut decoder = WebPDecoder::new(Cursor::new(still))?;
        if decoder.dimensions() != (placement.width as u32, placement.height as u32) {
            return Err(broken("has another size than it says"));
        }
        decoder.set_limits(limits.for_decoder())?;
        let rgba = DynamicImage::from_decoder(decoder)?.into_rgba8();
        let painted = canvas
            .paint(&rgba, placement)
            .ok_or_else(|| broken("lies outside of the picture"))?;
        let mut frame = Frame::from_rgba(size.0, size.1, painted);
        frame.alpha = frame.alpha.filter(|_| has_alpha);
        frames.push(frame);
    }
    Ok(frames)
}

/// A file of one picture around the chunks of a frame.
fn still_of(data: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut body = b"WEBP".to_vec();
    if chunks(data).any(|(name, _)| name == *b"ALPH") {
        body.extend(b"VP8X\x0a\0\0\0");
        body.extend([HAS_ALPHA, 0, 0, 0]);
        for side in [width, height] {
            body.extend(&(side as u32 - 1).to_le_bytes()[..3]);
        }
    }
    for (name, contents) in chunks(data) {
        if matches!(&name, b"ALPH" | b"VP8 " | b"VP8L") {
            body.extend(name);
            body.extend((contents.len() as u32).to_le_bytes());
            body.extend(contents);
            body.extend(std::iter::repeat_n(0, contents.len() % 2));
        }
    }
    let mut file = b"RIFF".to_vec();
    file.extend((body.len() as u32).to_le_bytes());
    file.extend(body);
    file
}
