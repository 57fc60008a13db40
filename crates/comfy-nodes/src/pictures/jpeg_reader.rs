//! JPEG, decoded bit for bit as libjpeg-turbo does it, and so PIL.

use image::ImageFormat;
use image::metadata::Orientation;
use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::orientation;
use super::read::{Frame, ReadError, ReadLimits, read_one};

impl From<JpegError> for ReadError {
    fn from(error: JpegError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Scans of a progressive file. Real ones have some ten; each costs a pass over the whole picture.
const MOST_SCANS: usize = 500;

/// Reads the first picture of a file.
pub(super) fn read(bytes: &[u8], limits: &ReadLimits) -> Result<(Frame, Orientation), ReadError> {
    // Of a damaged file the other decoder reads what is there, as PIL does in `ComfyUI`'s hands.
    decode(bytes, limits).or_else(|error| match error {
        ReadError::Broken(_) => read_one(bytes, ImageFormat::Jpeg, limits),
        other => Err(other),
    })
}

fn decode(bytes: &[u8], limits: &ReadLimits) -> Result<(Frame, Orientation), ReadError> {
    let mut decoder = Decoder::new(bytes)?;
    let header = decoder.header();
    let (width, height) = (header.width, header.height);
    limits.check(width.into(), height.into(), 1)?;
    let parts = &header.components;
    let factors = |index: usize| {
        let part = &parts[index];
        (part.horizontal_sampling, part.vertical_sampling)
    };
    if parts.len() == 4 && (1..4).any(|index| factors(index) != factors(0)) {
        // The decoder of libjpeg's arithmetic cannot enlarge the colours of CMYK.
        return read_one(bytes, ImageFormat::Jpeg, limits);
    }
    decoder.set_limits(DecodeLimits {
        max_pixels: limits.pixels,
        max_scans: MOST_SCANS,
        // Coefficients of two bytes and samples of one, for four channels, in whole blocks.
        max_memory: Some(limits.pixels.saturating_mul(16).saturating_add(64 << 20)),
        ..DecodeLimits::default()
    });
    let image = decoder.decode_image()?;
    let orientation = orientation::of(image.exif_orientation(), image.xmp_data());
    let (width, height) = (image.width, image.height);
    let frame = match image.pixel_format {
        PixelFormat::Grayscale => Frame::from_grey(width, height, &image.data),
        PixelFormat::Rgb => Frame::from_rgb(width, height, image.data),
        PixelFormat::Cmyk => Frame::from_rgb(width, height, rgb_of_inks(&image.data)),
        other => {
            return Err(ReadError::Broken(format!(
                "expected grey, RGB or CMYK samples in the JPEG file, got {other:?}"
            )));
        }
    };
    Ok((frame, orientation))
}

/// Colours of inks that are stored upside down, as all programs since Photoshop do: 255 is no ink.
fn rgb_of_inks(samples: &[u8]) -> Vec<u8> {
    let colour = |paper: u8, light: u8| {
        let product = u32::from(255 - paper) * u32::from(light) + 128;
        light - (((product >> 8) + product) >> 8) as u8
    };
    samples
        .chunks_exact(4)
        .flat_map(|inks| [inks[0], inks[1], inks[2]].map(|ink| colour(ink, inks[3])))
        .collect()
}
