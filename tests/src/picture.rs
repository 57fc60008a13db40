//! PNG files: pixels and text chunks.

use std::collections::BTreeMap;
use std::io::Cursor;

/// A decoded PNG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Channels per pixel.
    pub channels: usize,
    /// Rows from the top, channels interleaved, 8 bits each.
    pub pixels: Vec<u8>,
    /// Text chunks (`tEXt`) by keyword.
    pub texts: BTreeMap<String, String>,
}

/// Decodes an 8-bit PNG.
#[track_caller]
pub fn decode(bytes: &[u8]) -> Picture {
    let mut reader = png::Decoder::new(Cursor::new(bytes))
        .read_info()
        .unwrap_or_else(|error| panic!("not a PNG: {error}"));
    let size = reader
        .output_buffer_size()
        .unwrap_or_else(|| panic!("the PNG is too large"));
    let mut pixels = vec![0; size];
    let frame = reader
        .next_frame(&mut pixels)
        .unwrap_or_else(|error| panic!("the PNG is broken: {error}"));
    assert_eq!(frame.bit_depth, png::BitDepth::Eight, "bits per channel");
    pixels.truncate(frame.buffer_size());
    reader
        .finish()
        .unwrap_or_else(|error| panic!("the PNG's end is broken: {error}"));
    let texts = reader
        .info()
        .uncompressed_latin1_text
        .iter()
        .map(|chunk| (chunk.keyword.clone(), chunk.text.clone()))
        .collect();
    Picture {
        width: frame.width,
        height: frame.height,
        channels: frame.color_type.samples(),
        pixels,
        texts,
    }
}

/// Encodes an RGB picture as PNG.
pub fn encode_rgb(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(pixels))
        .unwrap_or_else(|error| panic!("cannot encode a {width}×{height} PNG: {error}"));
    bytes
}

/// A smooth RGB picture with different values in each corner and channel.
pub fn gradient(width: u32, height: u32) -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            pixels.extend_from_slice(&[
                (255 * x / width) as u8,
                (255 * y / height) as u8,
                (255 * (x + y) / (width + height)) as u8,
            ]);
        }
    }
    encode_rgb(width, height, &pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_can_be_decoded() {
        let picture = decode(&gradient(5, 3));
        assert_eq!(
            (
                picture.width,
                picture.height,
                picture.channels,
                picture.pixels.len()
            ),
            (5, 3, 3, 45)
        );
        assert_eq!(picture.pixels[..6], [0, 0, 0, 51, 0, 31]);
    }
}
