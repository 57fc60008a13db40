//! Writing animated PNG.

use png::DeflateCompression;
use png::chunk::ChunkType;

use super::write::{WriteError, png_encoder};

/// One picture of an animation.
#[derive(Debug, Clone, Copy)]
pub struct AnimationFrame<'a> {
    /// The bytes in the order `[height, width, channel]`.
    pub bytes: &'a [u8],
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bytes of a pixel.
    pub channels: usize,
    /// How long it is shown.
    pub milliseconds: u32,
}

/// The chunk in which `ComfyUI` stores a keyword, a zero byte and a text.
const METADATA: ChunkType = ChunkType(*b"comf");

/// Encodes frames of one size as an animation without end; a single frame is a still picture. The texts come after the pixels,
/// as pairs of keyword and text; `level` is zlib's, 0 to 9.
pub fn encode_animated_png(
    frames: &[AnimationFrame<'_>],
    texts: &[(String, String)],
    level: u8,
) -> Result<Vec<u8>, WriteError> {
    let first = frames.first().ok_or_else(no_frames)?;
    let mut file = Vec::new();
    let mut encoder = png_encoder(
        &mut file,
        first.bytes.len(),
        first.width,
        first.height,
        first.channels,
    )?;
    encoder.set_deflate_compression(if level == 0 {
        DeflateCompression::NoCompression
    } else {
        DeflateCompression::Level(level)
    });
    let count = frames.len() as u32;
    if count > 1 {
        encoder.set_animated(count, 0)?;
    }
    let mut writer = encoder.write_header()?;
    for frame in frames {
        if count > 1 {
            let (numerator, denominator) = fraction(frame.milliseconds);
            writer.set_frame_delay(numerator, denominator)?;
        }
        writer.write_image_data(frame.bytes)?;
    }
    for (keyword, text) in texts {
        match latin1(keyword).zip(latin1(text)) {
            Some((keyword, text)) if !keyword.contains(&0) => {
                writer.write_chunk(METADATA, &[keyword, text].join(&0))?;
            }
            _ => tracing::warn!(%keyword, "PNG cannot hold this metadata, it is left out"),
        }
    }
    writer.finish()?;
    Ok(file)
}

pub(super) fn no_frames() -> WriteError {
    WriteError::Encoding("expected at least one picture, got none".to_owned())
}

/// Milliseconds as a fraction of a second, as exact as 16 bits allow.
fn fraction(milliseconds: u32) -> (u16, u16) {
    for denominator in [1000, 100, 10, 1] {
        if let Ok(numerator) = u16::try_from(milliseconds / (1000 / u32::from(denominator))) {
            return (numerator, denominator);
        }
    }
    (u16::MAX, 1)
}

fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).ok())
        .collect()
}
