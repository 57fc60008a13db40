//! PNG, still and animated. Read without the `image` crate, which turns a colour key into opacity: PIL, and so `ComfyUI`, does
//! that for palettes alone.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{
    BitDepth, BlendOp, ColorType, DecodeOptions, Decoder, DisposeOp, Info, Limits, Transformations,
};

use super::animation::{Afterwards, Blending, Canvas, Placement};
use super::read::{Frame, ReadError, ReadLimits, cut_off};

impl From<png::DecodingError> for ReadError {
    fn from(error: png::DecodingError) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Reads all frames. An animation may have a still picture before its first frame; that one comes first.
pub(super) fn read(
    bytes: &[u8],
    limits: &ReadLimits,
) -> Result<(Vec<Frame>, Orientation), ReadError> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits { bytes: 64 << 20 });
    decoder.set_transformations(Transformations::EXPAND);
    let header = decoder.read_header_info()?;
    let (width, height) = (header.width, header.height);
    limits.check(width.into(), height.into(), 1)?;
    let mut reader = decoder.read_info()?;
    let info = reader.info();
    let has_alpha = match info.color_type {
        ColorType::Indexed => info.trns.is_some(),
        other => matches!(other, ColorType::GrayscaleAlpha | ColorType::Rgba),
    };
    let key = key_of(info);
    let is_grey16 = info.color_type == ColorType::Grayscale && info.bit_depth == BitDepth::Sixteen;
    let animation = info
        .animation_control
        .map_or(0, |control| u64::from(control.num_frames));
    let count = match (animation, info.frame_control.is_some()) {
        (0, _) => 1,
        (frames, true) => frames,
        (frames, false) => frames + 1,
    };

    let length = reader.output_buffer_size().ok_or(ReadError::OutOfMemory {
        width: width.into(),
        height: height.into(),
    })?;
    let mut buffer = Vec::new();
    buffer
        .try_reserve_exact(length)
        .map_err(|_| ReadError::OutOfMemory {
            width: width.into(),
            height: height.into(),
        })?;
    buffer.resize(length, 0);

    let (width, height) = (width as usize, height as usize);
    let mut canvas = (count > 1).then(|| Canvas::new(width, height));
    let mut frames = Vec::new();
    for index in 0..count {
        limits.check(width as u64, height as u64, index + 1)?;
        let output = reader.next_frame(&mut buffer)?;
        let samples = &buffer[..output.buffer_size()];
        let (frame_width, frame_height) = (output.width as usize, output.height as usize);
        let mut frame = frame_of(
            samples,
            frame_width,
            frame_height,
            output.color_type,
            output.bit_depth,
            is_grey16,
        );
        if !has_alpha {
            frame.alpha = None;
            frame.key = key.map(|key| {
                let pixels = frame.rgb.chunks_exact(3);
                pixels
                    .map(|pixel| if pixel == key { 0 } else { 255 })
                    .collect()
            });
        }
        if let (Some(canvas), Some(control)) = (&mut canvas, reader.info().frame_control) {
            let placement = Placement {
                left: control.x_offset as usize,
                top: control.y_offset as usize,
                width: frame_width,
                height: frame_height,
                blending: match control.blend_op {
                    BlendOp::Over if index > 0 => Blending::Png,
                    _ => Blending::Replace,
                },
                afterwards: match control.dispose_op {
                    DisposeOp::None => Afterwards::Keep,
                    // There is nothing before the first frame that could come back.
                    DisposeOp::Previous if index > 0 => Afterwards::Restore,
                    DisposeOp::Previous | DisposeOp::Background => Afterwards::Clear,
                },
            };
            let painted = canvas.paint(&rgba_of(&frame), placement).ok_or_else(|| {
                ReadError::Broken("a frame lies outside of the picture".to_owned())
            })?;
            frame = Frame::from_rgba(width, height, painted);
            frame.alpha = frame.alpha.filter(|_| has_alpha);
        }
        frames.push(frame);
    }
    let orientation = reader
        .info()
        .exif_metadata
        .as_deref()
        .and_then(Orientation::from_exif_chunk);
    Ok((frames, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The colour that the file calls transparent, as PIL compares it with the bytes of a pixel: of sixteen bits the lower eight, and grey
/// of few bits before it is spread over eight.
fn key_of(info: &Info<'_>) -> Option<[u8; 3]> {
    let key = info.trns.as_deref()?;
    // The decoder keeps one byte of what has at most eight bits.
    match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale, BitDepth::Sixteen) => None,
        (ColorType::Grayscale, BitDepth::One) => {
            Some([if *key.first()? == 0 { 0 } else { 255 }; 3])
        }
        (ColorType::Grayscale, _) => Some([*key.first()?; 3]),
        (ColorType::Rgb, BitDepth::Sixteen) => Some([*key.get(1)?, *key.get(3)?, *key.get(5)?]),
        (ColorType::Rgb, _) => key.first_chunk().copied(),
        _ => None,
    }
}

fn frame_of(
    samples: &[u8],
    width: usize,
    height: usize,
    color: ColorType,
    depth: BitDepth,
    is_grey16: bool,
) -> Frame {
    let narrowed: Vec<u8>;
    let mut samples = samples;
    let pairs = samples.chunks_exact(2);
    if depth == BitDepth::Sixteen {
        narrowed = if is_grey16 {
            // A colour key has become a second sample, which is of no use here.
            let step = color.samples();
            pairs
                .step_by(step)
                .map(|pair| cut_off(u16::from_be_bytes([pair[0], pair[1]])))
                .collect()
        } else {
            pairs.map(|pair| pair[0]).collect()
        };
        samples = &narrowed;
        if is_grey16 {
            return Frame::from_grey(width, height, samples);
        }
    }
    match color {
        ColorType::Grayscale | ColorType::Indexed => Frame::from_grey(width, height, samples),
        ColorType::GrayscaleAlpha => Frame::from_grey_alpha(width, height, samples),
        ColorType::Rgb => Frame::from_rgb(width, height, samples.to_vec()),
        ColorType::Rgba => Frame::from_rgba(width, height, samples),
    }
}

fn rgba_of(frame: &Frame) -> Vec<u8> {
    let alpha = frame
        .alpha
        .iter()
        .flatten()
        .copied()
        .chain(std::iter::repeat(255));
    frame
        .rgb
        .chunks_exact(3)
        .zip(alpha)
        .flat_map(|(rgb, alpha)| [rgb[0], rgb[1], rgb[2], alpha])
        .collect()
}
