//! JPEG XL, still and animated.

use image::metadata::Orientation;
use jxl_oxide::{AllocTracker, JxlImage, PixelFormat};

use super::read::{Frame, ReadError, ReadLimits};

/// Whether a file begins as JPEG XL does: bare, or in a container.
pub(super) fn is_jxl(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0x0a]) || bytes.starts_with(b"\0\0\0\x0cJXL \r\n\x87\n")
}

/// Reads all frames. The decoder turns them as the file says.
pub(super) fn read(
    bytes: &[u8],
    limits: &ReadLimits,
) -> Result<(Vec<Frame>, Orientation), ReadError> {
    let broken =
        |error: Box<dyn std::error::Error + Send + Sync>| ReadError::Broken(error.to_string());
    // Four channels of 32 bits, twice while a frame is put together, and the decoder's own tables.
    let memory = limits.pixels.saturating_mul(32).saturating_add(64 << 20);
    let image = JxlImage::builder()
        .alloc_tracker(AllocTracker::with_limit(memory as usize))
        .read(bytes)
        .map_err(broken)?;
    let (width, height) = (u64::from(image.width()), u64::from(image.height()));
    limits.check(width, height, 1)?;
    let count = image.num_loaded_keyframes();
    limits.check(width, height, count.max(1) as u64)?;
    let format = image.pixel_format();
    if matches!(format, PixelFormat::Cmyk | PixelFormat::Cmyka) {
        return Err(ReadError::Broken(
            "the decoder for JPEG XL does not turn CMYK into colours of a screen".to_owned(),
        ));
    }
    let mut frames = Vec::with_capacity(count);
    for index in 0..count {
        let rendered = image.render_frame(index).map_err(broken)?;
        let mut stream = rendered.stream();
        let (width, height) = (stream.width() as usize, stream.height() as usize);
        let channels = stream.channels() as usize;
        let mut samples = vec![0_u8; width * height * channels];
        stream.write_to_buffer(&mut samples);
        frames.push(match channels {
            1 => Frame::from_grey(width, height, &samples),
            2 => Frame::from_grey_alpha(width, height, &samples),
            3 => Frame {
                width,
                height,
                rgb: samples,
                alpha: None,
                key: None,
            },
            4 => Frame::from_rgba(width, height, &samples),
            other => {
                return Err(ReadError::Broken(format!(
                    "expected 1 to 4 channels, got {other}"
                )));
            }
        });
    }
    Ok((frames, Orientation::NoTransforms))
}
