//! TIFF files: all pages, palettes, and grey with opacity.
//!
//! The decoder reads the page that the header points to, so the header is made to point to one page after the other. It knows
//! no palettes: where there is one, the page is declared to be grey, and the grey values are looked up.

use std::io::Cursor;

use image::ImageFormat;
use image::metadata::Orientation;
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult, Limits};

use super::read::{Frame, ReadError, ReadLimits, read_one};

/// More pages than any file has that is meant for us.
const MOST_PAGES: usize = 10_000;

/// Tags of a page, and a value.
const PHOTOMETRIC: u16 = 262;
const COLOUR_MAP: u16 = 320;
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Reads all pages; the first one says how they are turned.
pub(super) fn read(
    bytes: &[u8],
    limits: &ReadLimits,
) -> Result<(Vec<Frame>, Orientation), ReadError> {
    let (first, orientation) = read_page(bytes, limits)?;
    let mut pixels = first.width as u64 * first.height as u64;
    let mut frames = vec![first];
    let mut file = Vec::new();
    for offset in Layout::of(bytes).pages().into_iter().skip(1) {
        if file.is_empty() {
            file = bytes.to_vec();
        }
        file[4..8].copy_from_slice(&offset);
        let rest = ReadLimits {
            pixels: limits.pixels.saturating_sub(pixels),
            ..*limits
        };
        let (frame, _) = read_page(&file, &rest)?;
        pixels += frame.width as u64 * frame.height as u64;
        frames.push(frame);
    }
    Ok((frames, orientation))
}

/// Reads the page that the header points to.
fn read_page(bytes: &[u8], limits: &ReadLimits) -> Result<(Frame, Orientation), ReadError> {
    let layout = Layout::of(bytes);
    if !layout.lists_fit() {
        return Err(ReadError::Broken(
            "a list of the TIFF page is longer than the file".to_owned(),
        ));
    }
    if let Some(entry) = layout.entry(PHOTOMETRIC)
        && layout.half(entry + 8) == Some(PALETTE)
    {
        let palette = layout
            .colour_map()
            .ok_or_else(|| ReadError::Broken("expected a palette of 256 colours".to_owned()))?;
        let mut grey = bytes.to_vec();
        let value = layout.bytes_of(BLACK_IS_ZERO);
        grey[entry + 8..entry + 10].copy_from_slice(&value);
        let (mut frame, orientation) = read_one(&grey, ImageFormat::Tiff, limits)?;
        for pixel in frame.rgb.chunks_exact_mut(3) {
            let colour = palette[usize::from(pixel[0])];
            pixel.copy_from_slice(&colour);
        }
        return Ok((frame, orientation));
    }
    match read_one(bytes, ImageFormat::Tiff, limits) {
        Ok(read) => Ok(read),
        // The library around the decoder knows no two samples.
        Err(error) => match grey_alpha(bytes, limits) {
            Some(frame) => Ok((frame, Orientation::NoTransforms)),
            None => Err(error),
        },
    }
}

/// A page of two samples of 8 bits, grey and opacity; nothing if it is another one.
fn grey_alpha(bytes: &[u8], limits: &ReadLimits) -> Option<Frame> {
    let mut allowed = Limits::default();
    allowed.decoding_buffer_size = usize::try_from(limits.pixels.saturating_mul(2)).ok()?;
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?.with_limits(allowed);
    let (width, height) = decoder.dimensions().ok()?;
    limits.check(width.into(), height.into(), 1).ok()?;
    let has_two = matches!(
        decoder.colortype().ok()?,
        ColorType::GrayA(8)
            | ColorType::Multiband {
                bit_depth: 8,
                num_samples: 2
            }
    );
    let DecodingResult::U8(samples) = decoder.read_image().ok()? else {
        return None;
    };
    let (width, height) = (width as usize, height as usize);
    (has_two && samples.len() == width * height * 2)
        .then(|| Frame::from_grey_alpha(width, height, &samples))
}

/// The directories of a file. The larger kind of TIFF, with 64 bits, is taken to have none.
struct Layout<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl<'a> Layout<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            big_endian: bytes.starts_with(b"MM"),
        }
    }

    fn half(&self, at: usize) -> Option<u16> {
        let field = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.big_endian {
            u16::from_be_bytes(field)
        } else {
            u16::from_le_bytes(field)
        })
    }

    fn word(&self, at: usize) -> Option<usize> {
        let field = *self.bytes.get(at..)?.first_chunk()?;
        let word = if self.big_endian {
            u32::from_be_bytes(field)
        } else {
            u32::from_le_bytes(field)
        };
        Some(word as usize)
    }

    fn bytes_of(&self, value: u16) -> [u8; 2] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// Where the first page begins.
    fn first(&self) -> Option<usize> {
        (self.half(2)? == 42).then_some(())?;
        self.word(4).filter(|offset| *offset != 0)
    }

    /// Where the entries of the first page stand.
    fn entries(&self) -> impl Iterator<Item = usize> {
        let page = self
            .first()
            .and_then(|start| Some((start, self.half(start)?)));
        let (start, count) = page.unwrap_or((0, 0));
        (0..usize::from(count)).map(move |index| start + 2 + index * 12)
    }

    /// Whether the file is long enough for every list of the first page. The decoder makes room for a list before it looks, many times
    /// what the list takes.
    fn lists_fit(&self) -> bool {
        self.entries().all(|entry| {
            let width = self.half(entry + 2).map_or(0, bytes_of_kind);
            let count = self.word(entry + 4).unwrap_or(0);
            count.saturating_mul(width) <= self.bytes.len()
        })
    }

    /// Where a tag of the first page stands.
    fn entry(&self, tag: u16) -> Option<usize> {
        self.entries().find(|entry| self.half(*entry) == Some(tag))
    }

    /// The 256 colours of the first page: all reds, all greens, all blues, 16 bits each.
    fn colour_map(&self) -> Option<Vec<[u8; 3]>> {
        let entry = self.entry(COLOUR_MAP)?;
        (self.word(entry + 4)? == 3 * 256).then_some(())?;
        let start = self.word(entry + 8)?;
        let level = |index: usize| Some((self.half(start + index * 2)? >> 8) as u8);
        (0..256)
            .map(|index| Some([level(index)?, level(256 + index)?, level(512 + index)?]))
            .collect()
    }

    /// Where the pages begin, as the header writes it.
    fn pages(&self) -> Vec<[u8; 4]> {
        let mut pages: Vec<[u8; 4]> = Vec::new();
        let mut place = self.first().map(|_| 4);
        while let Some(at) = place {
            let Some(field) = self.bytes.get(at..).and_then(|rest| rest.first_chunk()) else {
                break;
            };
            let start = self.word(at).unwrap_or(0);
            // A loop of pages ends where it began.
            if start == 0 || pages.contains(field) || pages.len() >= MOST_PAGES {
                break;
            }
            pages.push(*field);
            place = self
                .half(start)
                .map(|count| start + 2 + usize::from(count) * 12);
        }
        pages
    }
}

/// What one value of a list takes.
fn bytes_of_kind(kind: u16) -> usize {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 => 8,
        _ => 1,
    }
}
