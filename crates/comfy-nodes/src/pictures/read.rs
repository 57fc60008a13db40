//! Reading picture files of any supported format into frames of bytes.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::codecs::gif::GifDecoder;
use image::metadata::Orientation;
use image::{
    AnimationDecoder, DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, RgbImage,
};

use super::{ico_reader, jpeg_reader, jxl_reader, png_reader, tiff_pages, webp_reader};

/// What a picture file may cost.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Largest file, in bytes.
    pub file_bytes: u64,
    /// Most pixels, over all frames together. The default is the number above which PIL refuses a picture.
    pub pixels: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            file_bytes: 512 << 20,
            pixels: 178_956_970,
        }
    }
}

/// One picture of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue; row by row.
    pub rgb: Vec<u8>,
    /// Opacity, if the file has any: 255 is opaque.
    pub alpha: Option<Vec<u8>>,
    /// 0 where a picture without opacity has the one colour that its file calls transparent. As in PIL, that is no opacity of the
    /// picture, but a mask can be made of it.
    pub key: Option<Vec<u8>>,
}

/// The frames of a file, in order; at least one, all of the first one's size. Already turned as their EXIF data says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The frames. Either all of them have opacity or none has.
    pub frames: Vec<Frame>,
}

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system refused.
    #[error("cannot read the picture {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is larger than [`ReadLimits::file_bytes`].
    #[error("expected a picture file of at most {limit} bytes, got {got}")]
    FileTooLarge {
        /// The limit.
        limit: u64,
        /// Its size, or the first size that was too large.
        got: u64,
    },
    /// The picture has more pixels than [`ReadLimits::pixels`].
    #[error(
        "expected a picture of at most {limit} pixels over all frames, got {width}x{height} in {frames} frames"
    )]
    TooManyPixels {
        /// The limit.
        limit: u64,
        /// Width of a frame.
        width: u64,
        /// Height of a frame.
        height: u64,
        /// Frames read so far.
        frames: u64,
    },
    /// The file has more frames than any that is meant for us.
    #[error("expected a picture of at most {limit} frames, got more")]
    TooManyFrames {
        /// The limit.
        limit: u64,
    },
    /// The first bytes are those of no format we know.
    #[error(
        "expected a PNG, JPEG, WebP, GIF, BMP, ICO, TIFF, JPEG XL or PNM picture, got a file that begins with {0}"
    )]
    UnknownFormat(String),
    /// A format that is known by name alone.
    #[error(
        "pictures of the format {0} are not read here: expected PNG, JPEG, WebP, GIF, BMP, ICO, TIFF, JPEG XL or PNM"
    )]
    NotRead(&'static str),
    /// The contents are broken or use something that is not supported.
    #[error("cannot decode the picture: {0}")]
    Broken(String),
    /// Too large for this machine.
    #[error("not enough memory for a picture of {width}x{height} pixels")]
    OutOfMemory {
        /// Width.
        width: u64,
        /// Height.
        height: u64,
    },
}

/// Frames cost memory even when they have hardly a pixel.
const MOST_FRAMES: u64 = 100_000;

impl From<image::ImageError> for ReadError {
    fn from(error: image::ImageError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl ReadLimits {
    /// Fails when `frames` frames of this size are too much.
    pub(super) fn check(&self, width: u64, height: u64, frames: u64) -> Result<(), ReadError> {
        if frames > MOST_FRAMES {
            return Err(ReadError::TooManyFrames { limit: MOST_FRAMES });
        }
        let pixels = width
            .checked_mul(height)
            .and_then(|pixels| pixels.checked_mul(frames));
        match pixels {
            Some(pixels) if pixels <= self.pixels => Ok(()),
            _ => Err(ReadError::TooManyPixels {
                limit: self.pixels,
                width,
                height,
                frames,
            }),
        }
    }

    pub(super) fn for_decoder(&self) -> image::Limits {
        let mut limits = image::Limits::default();
        // Eight bytes a pixel is the widest we keep (16 bits, four channels); decoders hold a few rows more.
        limits.max_alloc = Some(self.pixels.saturating_mul(8).saturating_add(64 << 20));
        limits
    }
}

/// Reads a picture file. Nothing of its size is allocated before the size has been checked. All frames of animated PNG, GIF and
/// WebP are read, and all pages of TIFF.
pub fn read(path: &Path, limits: &ReadLimits) -> Result<Picture, ReadError> {
    let io = |source| ReadError::Io {
        path: path.to_path_buf(),
        source,
    };
    let file = std::fs::File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(io(std::io::Error::other("it is not a regular file")));
    }
    if metadata.len() > limits.file_bytes {
        return Err(ReadError::FileTooLarge {
            limit: limits.file_bytes,
            got: metadata.len(),
        });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    file.take(limits.file_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    read_bytes(&bytes, limits)
}

/// Reads a picture file from memory. The format is told by the first bytes, not by a name.
pub fn read_bytes(bytes: &[u8], limits: &ReadLimits) -> Result<Picture, ReadError> {
    if bytes.len() as u64 > limits.file_bytes {
        return Err(ReadError::FileTooLarge {
            limit: limits.file_bytes,
            got: bytes.len() as u64,
        });
    }
    let unknown = || {
        let start: Vec<String> = bytes
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        ReadError::UnknownFormat(if start.is_empty() {
            "nothing".to_owned()
        } else {
            start.join(" ")
        })
    };
    if jxl_reader::is_jxl(bytes) {
        let (frames, orientation) = jxl_reader::read(bytes, limits)?;
        return finish(frames, orientation);
    }
    if let Some(name) = known_by_name(bytes) {
        return Err(ReadError::NotRead(name));
    }
    let format = image::guess_format(bytes).map_err(|_| unknown())?;
    let (frames, orientation) = match format {
        ImageFormat::Png => png_reader::read(bytes, limits)?,
        ImageFormat::Gif => read_gif(bytes, limits)?,
        ImageFormat::WebP => webp_reader::read(bytes, limits)?,
        ImageFormat::Tiff => tiff_pages::read(bytes, limits)?,
        ImageFormat::Jpeg => {
            let (frame, orientation) = jpeg_reader::read(bytes, limits)?;
            (vec![frame], orientation)
        }
        ImageFormat::Ico => ico_reader::read(bytes, limits)?,
        ImageFormat::Bmp | ImageFormat::Pnm => {
            let (frame, orientation) = read_one(bytes, format, limits)?;
            (vec![frame], orientation)
        }
        _ => return Err(unknown()),
    };
    finish(frames, orientation)
}

/// The name of a format whose files are met often enough that a message should name it. There is no decoder for AV1 that is
/// permissively licensed, safe to call from Rust and built without a system library.
fn known_by_name(bytes: &[u8]) -> Option<&'static str> {
    let brand = bytes.get(4..12)?;
    match brand {
        b"ftypavif" | b"ftypavis" => Some("AVIF"),
        b"ftypheic" | b"ftypheix" | b"ftypmif1" | b"ftyphevc" => Some("HEIF"),
        _ if bytes.starts_with(b"qoif") => Some("QOI"),
        _ if bytes.starts_with(b"8BPS") => Some("PSD"),
        _ if bytes.starts_with(b"DDS ") => Some("DDS"),
        _ if bytes.starts_with(b"\0\0\0\x0cjP  ") => Some("JPEG 2000"),
        _ => None,
    }
}

/// A file of one picture.
pub(super) fn read_one(
    bytes: &[u8],
    format: ImageFormat,
    limits: &ReadLimits,
) -> Result<(Frame, Orientation), ReadError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.for_decoder());
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let narrow = match format {
        ImageFormat::Pnm => scaled,
        _ => cut_off,
    };
    Ok((read_still(decoder, limits, narrow)?, orientation))
}

fn read_gif(bytes: &[u8], limits: &ReadLimits) -> Result<(Vec<Frame>, Orientation), ReadError> {
    let mut decoder = GifDecoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into(), 1)?;
    decoder.set_limits(limits.for_decoder())?;
    let mut frames = read_frames(decoder.into_frames(), limits)?;
    let mut transparent = false;
    if let (Some(first), Some(begin)) = (frames.first_mut(), first_of_gif(bytes)) {
        transparent = begin.transparent;
        if let Some(colours) = begin.colours {
            first.rgb = colours;
        }
    }
    // The format always could be transparent; what counts is whether the first frame has a colour for it, or a later one is.
    for frame in &mut frames {
        frame.alpha = frame
            .alpha
            .take()
            .filter(|alpha| transparent || alpha.iter().any(|&value| value < 255));
    }
    Ok((frames, Orientation::NoTransforms))
}

/// What PIL says of the first frame of a GIF.
struct FirstOfGif {
    /// Whether one of its colours is transparent, seen or not.
    transparent: bool,
    /// Its colours, those of transparent pixels too, which PIL keeps. Nothing when the frame does not fill the picture.
    colours: Option<Vec<u8>>,
}

fn first_of_gif(bytes: &[u8]) -> Option<FirstOfGif> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut decoder = options.read_info(bytes).ok()?;
    let (width, height) = (decoder.width(), decoder.height());
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().ok()??;
    let transparent = frame.transparent.is_some();
    if (frame.left, frame.top, frame.width, frame.height) != (0, 0, width, height) {
        return Some(FirstOfGif {
            transparent,
            colours: None,
        });
    }
    let palette = frame.palette.as_deref().or(global.as_deref())?;
    let mut colours = Vec::with_capacity(frame.buffer.len() * 3);
    for index in frame.buffer.iter() {
        let start = usize::from(*index) * 3;
        colours.extend_from_slice(palette.get(start..start + 3).unwrap_or(&[0; 3]));
    }
    Some(FirstOfGif {
        transparent,
        colours: Some(colours),
    })
}

/// Collects the frames of an animation, with their opacity.
fn read_frames(frames: image::Frames<'_>, limits: &ReadLimits) -> Result<Vec<Frame>, ReadError> {
    let mut result = Vec::new();
    for frame in frames {
        let buffer = frame?.into_buffer();
        limits.check(
            buffer.width().into(),
            buffer.height().into(),
            result.len() as u64 + 1,
        )?;
        let (width, height) = (buffer.width() as usize, buffer.height() as usize);
        result.push(Frame::from_rgba(width, height, &buffer));
    }
    Ok(result)
}

/// Decodes a picture of one frame. Sixteen bits are cut to the upper eight; grey of sixteen bits alone is what `narrow` makes of it.
pub(super) fn read_still(
    decoder: impl ImageDecoder,
    limits: &ReadLimits,
    narrow: fn(u16) -> u8,
) -> Result<Frame, ReadError> {
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into(), 1)?;
    let image = DynamicImage::from_decoder(decoder)?;
    let (width, height) = (width as usize, height as usize);
    let high =
        |values: &[u16]| -> Vec<u8> { values.iter().map(|value| (value >> 8) as u8).collect() };
    Ok(match image {
        DynamicImage::ImageLuma8(grey) => Frame::from_grey(width, height, grey.as_raw()),
        DynamicImage::ImageRgb8(rgb) => Frame::from_rgb(width, height, rgb.into_raw()),
        DynamicImage::ImageRgba8(rgba) => Frame::from_rgba(width, height, &rgba),
        DynamicImage::ImageLumaA8(grey) => Frame::from_grey_alpha(width, height, grey.as_raw()),
        DynamicImage::ImageLuma16(grey) => Frame::from_grey(
            width,
            height,
            &grey.iter().map(|value| narrow(*value)).collect::<Vec<_>>(),
        ),
        DynamicImage::ImageLumaA16(grey) => {
            Frame::from_grey_alpha(width, height, &high(grey.as_raw()))
        }
        DynamicImage::ImageRgb16(rgb) => Frame::from_rgb(width, height, high(rgb.as_raw())),
        DynamicImage::ImageRgba16(rgba) => Frame::from_rgba(width, height, &high(rgba.as_raw())),
        other => {
            let has_alpha = other.color().has_alpha();
            let mut frame = Frame::from_rgba(width, height, &other.into_rgba8());
            frame.alpha = frame.alpha.filter(|_| has_alpha);
            frame
        }
    })
}

/// Grey of sixteen bits as a byte. PIL knows two kinds, which `ComfyUI` treats each in its way: that of PNG and TIFF is cut off at
/// white, nearly everything is white then.
pub(super) fn cut_off(value: u16) -> u8 {
    value.min(255) as u8
}

/// Grey of sixteen bits as a byte, the other kind: that of PNM is divided by 255.
fn scaled(value: u16) -> u8 {
    (value / 255).min(255) as u8
}

impl Frame {
    /// Opacity of any kind.
    pub fn opacity(&self) -> Option<&[u8]> {
        self.alpha.as_deref().or(self.key.as_deref())
    }

    pub(super) fn from_rgb(width: usize, height: usize, rgb: Vec<u8>) -> Self {
        Self {
            width,
            height,
            rgb,
            alpha: None,
            key: None,
        }
    }

    pub(super) fn from_grey(width: usize, height: usize, grey: &[u8]) -> Self {
        let rgb = grey.iter().flat_map(|&value| [value; 3]).collect();
        Self::from_rgb(width, height, rgb)
    }

    pub(super) fn from_grey_alpha(width: usize, height: usize, values: &[u8]) -> Self {
        let pixels = values.chunks_exact(2);
        let rgb = pixels.clone().flat_map(|pixel| [pixel[0]; 3]).collect();
        Self {
            width,
            height,
            rgb,
            alpha: Some(pixels.map(|pixel| pixel[1]).collect()),
            key: None,
        }
    }

    pub(super) fn from_rgba(width: usize, height: usize, values: &[u8]) -> Self {
        let pixels = values.chunks_exact(4);
        let mut rgb = Vec::with_capacity(width * height * 3);
        pixels
            .clone()
            .for_each(|pixel| rgb.extend_from_slice(&pixel[..3]));
        Self {
            width,
            height,
            rgb,
            alpha: Some(pixels.map(|pixel| pixel[3]).collect()),
            key: None,
        }
    }

    fn turned(self, orientation: Orientation) -> Result<Self, ReadError> {
        if orientation == Orientation::NoTransforms {
            return Ok(self);
        }
        let broken = || ReadError::Broken("its size does not fit its data".to_owned());
        let (width, height) = (self.width as u32, self.height as u32);
        let mut rgb = DynamicImage::ImageRgb8(
            RgbImage::from_raw(width, height, self.rgb).ok_or_else(broken)?,
        );
        rgb.apply_orientation(orientation);
        let turn = |plane: Option<Vec<u8>>| -> Result<_, ReadError> {
            let Some(plane) = plane else { return Ok(None) };
            let mut plane = DynamicImage::ImageLuma8(
                GrayImage::from_raw(width, height, plane).ok_or_else(broken)?,
            );
            plane.apply_orientation(orientation);
            Ok(Some(plane.into_bytes()))
        };
        Ok(Self {
            width: rgb.width() as usize,
            height: rgb.height() as usize,
            rgb: rgb.into_bytes(),
            alpha: turn(self.alpha)?,
            key: turn(self.key)?,
        })
    }
}

/// Turns the frames, leaves out those of another size than the first, and gives every frame opacity if one has it.
fn finish(frames: Vec<Frame>, orientation: Orientation) -> Result<Picture, ReadError> {
    let mut turned = Vec::with_capacity(frames.len());
    for frame in frames {
        turned.push(frame.turned(orientation)?);
    }
    let Some((width, height)) = turned.first().map(|first| (first.width, first.height)) else {
        return Err(ReadError::Broken("it has no frame".to_owned()));
    };
    if width == 0 || height == 0 {
        return Err(ReadError::Broken("it has no pixel".to_owned()));
    }
    turned.retain(|frame| (frame.width, frame.height) == (width, height));
    if turned.iter().any(|frame| frame.alpha.is_some()) {
        for frame in &mut turned {
            frame.alpha.get_or_insert_with(|| vec![255; width * height]);
        }
    }
    Ok(Picture { frames: turned })
}
