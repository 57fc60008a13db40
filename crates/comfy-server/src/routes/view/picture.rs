//! Pictures in another format or with other channels.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{DynamicImage, ImageFormat, ImageReader, Limits, RgbaImage};

/// Pixels a picture may have.
const PIXEL_LIMIT: u64 = 100_000_000;
/// Bytes that decoding may take.
const MEMORY_LIMIT: u64 = 1 << 30;

/// Why a picture was not converted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("the file could not be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("expected a picture of at most {PIXEL_LIMIT} pixels, got {width}×{height}")]
    TooLarge { width: u32, height: u32 },
    #[error("expected a picture: {0}")]
    Picture(#[from] image::ImageError),
}

/// What to make of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::routes) enum Conversion {
    /// JPEG of this quality in percent.
    Jpeg(u8),
    /// WebP, with the alpha channel or without. It is lossless, so there is no quality.
    Webp { alpha: bool },
    /// PNG of the colours.
    Colours,
    /// Black PNG with the alpha channel.
    Alpha,
}

/// A picture as a file.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
}

impl Conversion {
    /// What the query asks for; none means the file as it is.
    pub(super) fn requested(preview: Option<&str>, channel: Option<&str>) -> Option<Self> {
        if let Some(preview) = preview {
            let mut parts = preview.split(';');
            let format = parts.next().unwrap_or_default();
            let last = parts.next_back().unwrap_or(format);
            let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
            let quality = if is_number {
                last.parse().unwrap_or(100)
            } else {
                90
            };
            // JPEG has no alpha channel, so whoever names it in `channel` gets WebP.
            let names_alpha = channel.is_some_and(|channel| channel.contains('a'));
            return Some(if format == "jpeg" && !names_alpha {
                Self::Jpeg(quality.clamp(1, 100))
            } else {
                Self::Webp {
                    alpha: channel != Some("rgb"),
                }
            });
        }
        match channel {
            Some("rgb") => Some(Self::Colours),
            Some("a") => Some(Self::Alpha),
            _ => None,
        }
    }
}

/// Decodes the picture in a file and encodes it anew.
pub(super) fn convert(path: &Path, conversion: Conversion) -> Result<Encoded, PictureError> {
    let picture = decode(path)?;
    match conversion {
        Conversion::Jpeg(quality) => {
            let mut bytes = Vec::new();
            JpegEncoder::new_with_quality(&mut bytes, quality)
                .encode_image(&picture.into_rgb8())?;
            Ok(Encoded {
                media_type: "image/jpeg",
                bytes,
            })
        }
        Conversion::Webp { alpha } => {
            let mut bytes = Vec::new();
            let encoder = WebPEncoder::new_lossless(&mut bytes);
            if alpha && picture.color().has_alpha() {
                picture.into_rgba8().write_with_encoder(encoder)?;
            } else {
                picture.into_rgb8().write_with_encoder(encoder)?;
            }
            Ok(Encoded {
                media_type: "image/webp",
                bytes,
            })
        }
        Conversion::Colours => png(&picture.into_rgb8().into()),
        Conversion::Alpha => png(&alpha_of(picture).into()),
    }
}

/// Decodes a picture after a look at its size.
pub(in crate::routes) fn decode(path: &Path) -> Result<DynamicImage, PictureError> {
    let (width, height) = ImageReader::open(path)?
        .with_guessed_format()?
        .into_dimensions()?;
    if u64::from(width) * u64::from(height) > PIXEL_LIMIT {
        return Err(PictureError::TooLarge { width, height });
    }
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_LIMIT);
    reader.limits(limits);
    Ok(reader.decode()?)
}

fn alpha_of(picture: DynamicImage) -> RgbaImage {
    let mut pixels = picture.into_rgba8();
    for pixel in pixels.pixels_mut() {
        pixel.0 = [0, 0, 0, pixel.0[3]];
    }
    pixels
}

/// The picture as a PNG file.
pub(super) fn png(picture: &DynamicImage) -> Result<Encoded, PictureError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(Encoded {
        media_type: "image/png",
        bytes: bytes.into_inner(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail by panicking")]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn saved(format: ImageFormat) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("picture");
        let picture = RgbaImage::from_fn(16, 8, |x, y| {
            Rgba([(x * 16) as u8, (y * 32) as u8, 7, (x * 8) as u8])
        });
        let picture = DynamicImage::from(picture);
        let picture = if format == ImageFormat::Jpeg {
            picture.into_rgb8().into()
        } else {
            picture
        };
        picture.save_with_format(&path, format).unwrap();
        (directory, path)
    }

    fn decoded(encoded: &Encoded) -> DynamicImage {
        image::load_from_memory(&encoded.bytes).unwrap()
    }

    #[test]
    fn the_query_says_what_to_make() {
        let requested = Conversion::requested;
        assert_eq!(requested(None, None), None);
        assert_eq!(requested(None, Some("rgba")), None);
        assert_eq!(requested(None, Some("zz")), None);
        assert_eq!(requested(None, Some("rgb")), Some(Conversion::Colours));
        assert_eq!(requested(None, Some("a")), Some(Conversion::Alpha));
        assert_eq!(requested(Some("jpeg;50"), None), Some(Conversion::Jpeg(50)));
        assert_eq!(
            requested(Some("jpeg"), Some("rgb")),
            Some(Conversion::Jpeg(90))
        );
        assert_eq!(requested(Some("jpeg;0"), None), Some(Conversion::Jpeg(1)));
        assert_eq!(
            requested(Some("jpeg;999"), None),
            Some(Conversion::Jpeg(100))
        );
        assert_eq!(
            requested(Some("jpeg;50"), Some("rgba")),
            Some(Conversion::Webp { alpha: true })
        );
        assert_eq!(
            requested(Some("bmp"), None),
            Some(Conversion::Webp { alpha: true })
        );
        assert_eq!(
            requested(Some("webp;50"), Some("rgb")),
            Some(Conversion::Webp { alpha: false })
        );
    }

    #[test]
    fn channels_come_apart() {
        let (_directory, path) = saved(ImageFormat::Png);
        let original = decode(&path).unwrap().into_rgba8();
        let colours = decoded(&convert(&path, Conversion::Colours).unwrap());
        assert!(!colours.color().has_alpha());
        for (x, y, pixel) in colours.into_rgb8().enumerate_pixels() {
            assert_eq!(pixel.0, original.get_pixel(x, y).0[..3]);
        }
        for (x, y, pixel) in decoded(&convert(&path, Conversion::Alpha).unwrap())
            .into_rgba8()
            .enumerate_pixels()
        {
            assert_eq!(pixel.0, [0, 0, 0, original.get_pixel(x, y).0[3]]);
        }
        let webp = convert(&path, Conversion::Webp { alpha: true }).unwrap();
        assert_eq!(
            (webp.media_type, decoded(&webp).into_rgba8()),
            ("image/webp", original)
        );
    }

    #[test]
    fn an_opaque_picture_has_full_alpha() {
        let (_directory, path) = saved(ImageFormat::Jpeg);
        let alpha = decoded(&convert(&path, Conversion::Alpha).unwrap()).into_rgba8();
        assert!(alpha.pixels().all(|pixel| pixel.0 == [0, 0, 0, 255]));
        let jpeg = convert(&path, Conversion::Jpeg(40)).unwrap();
        assert_eq!(image::guess_format(&jpeg.bytes).unwrap(), ImageFormat::Jpeg);
    }

    #[test]
    fn giants_and_garbage_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("giant.png");
        // A header that claims 60,000 × 60,000 pixels, without data.
        let mut header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        header.extend([60_000u32.to_be_bytes(), 60_000u32.to_be_bytes()].concat());
        header.extend([8, 6, 0, 0, 0]);
        let checksum = crc32(&header[12..]);
        header.extend(checksum.to_be_bytes());
        header.extend(b"\0\0\0\x0bIDAT");
        std::fs::write(&path, &header).unwrap();
        assert!(matches!(
            convert(&path, Conversion::Colours),
            Err(PictureError::TooLarge {
                width: 60_000,
                height: 60_000
            })
        ));
        std::fs::write(&path, "not a picture").unwrap();
        assert!(matches!(
            convert(&path, Conversion::Jpeg(90)),
            Err(PictureError::Picture(_))
        ));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
            })
        })
    }
}
