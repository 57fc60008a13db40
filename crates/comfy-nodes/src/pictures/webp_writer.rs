//! Writing WebP, still and animated, with metadata.
//!
//! libwebp compresses the frames; the container around them is put together here (RFC 9649).

use super::animated_png::{AnimationFrame, no_frames};
use super::write::WriteError;

/// How to compress.
#[derive(Debug, Clone, Copy)]
pub struct WebpOptions {
    /// Whether every pixel is kept.
    pub lossless: bool,
    /// 0 to 100: quality, or the effort of a lossless encoder.
    pub quality: f32,
    /// 0 (fast) to 6 (small).
    pub method: i32,
}

/// The longest side that WebP allows.
const LONGEST_SIDE: usize = 16_383;

/// Flags of the header.
const HAS_ANIMATION: u8 = 0x02;
const HAS_EXIF: u8 = 0x08;
const HAS_ALPHA: u8 = 0x10;

/// A frame is not mixed with what it covers.
const NO_BLENDING: u8 = 0x02;

/// Encodes frames of one size; more than one are an animation without end. The texts, pairs of keyword and text, are stored as
/// EXIF in the way of `ComfyUI`.
pub fn encode_webp(
    frames: &[AnimationFrame<'_>],
    texts: &[(String, String)],
    options: WebpOptions,
) -> Result<Vec<u8>, WriteError> {
    let first = frames.first().ok_or_else(no_frames)?;
    let pictures = frames
        .iter()
        .map(|frame| compress(frame, options))
        .collect::<Result<Vec<_>, _>>()?;
    let exif = exif_of(texts);
    let mut flags = 0;
    if pictures.iter().any(|picture| picture.has_alpha) {
        flags |= HAS_ALPHA;
    }
    if !exif.is_empty() {
        flags |= HAS_EXIF;
    }
    if frames.len() > 1 {
        flags |= HAS_ANIMATION;
    }

    let mut body = b"WEBP".to_vec();
    let mut header = vec![flags, 0, 0, 0];
    header.extend(size24(first.width, first.height));
    push(&mut body, *b"VP8X", &header);
    if let [picture] = pictures.as_slice() {
        body.extend(&picture.chunks);
    } else {
        // A transparent background, and repetitions without end.
        push(&mut body, *b"ANIM", &[0; 6]);
        for (frame, picture) in frames.iter().zip(&pictures) {
            let mut data = vec![0; 6];
            data.extend(size24(frame.width, frame.height));
            data.extend(&frame.milliseconds.min(0xff_ffff).to_le_bytes()[..3]);
            data.push(NO_BLENDING);
            data.extend(&picture.chunks);
            push(&mut body, *b"ANMF", &data);
        }
    }
    if !exif.is_empty() {
        push(&mut body, *b"EXIF", &exif);
    }
    let mut file = Vec::with_capacity(body.len() + 8);
    push(&mut file, *b"RIFF", &body);
    Ok(file)
}

/// A compressed picture.
struct Compressed {
    /// The chunks with its pixels, as they stand in a file.
    chunks: Vec<u8>,
    has_alpha: bool,
}

fn compress(frame: &AnimationFrame<'_>, options: WebpOptions) -> Result<Compressed, WriteError> {
    let AnimationFrame {
        bytes,
        width,
        height,
        channels,
        ..
    } = *frame;
    let shape = || WriteError::Shape {
        width,
        height,
        channels,
        got: bytes.len(),
    };
    let colours: Vec<u8>;
    let (pixels, has_alpha) = match channels {
        1 => {
            colours = bytes.iter().flat_map(|&grey| [grey; 3]).collect();
            (colours.as_slice(), false)
        }
        2 => {
            let pairs = bytes.chunks_exact(2);
            colours = pairs
                .flat_map(|pair| [pair[0], pair[0], pair[0], pair[1]])
                .collect();
            (colours.as_slice(), true)
        }
        3 => (bytes, false),
        4 => (bytes, true),
        _ => return Err(shape()),
    };
    if bytes.len() != width * height * channels || bytes.is_empty() {
        return Err(shape());
    }
    if width.max(height) > LONGEST_SIDE {
        return Err(WriteError::Encoding(format!(
            "expected at most {LONGEST_SIDE} pixels on each side for WebP, got {width}x{height}"
        )));
    }
    let failed = |reason: String| WriteError::Encoding(format!("libwebp: {reason}"));
    let mut config =
        webp::WebPConfig::new().map_err(|()| failed("it has another version".to_owned()))?;
    config.lossless = i32::from(options.lossless);
    config.quality = options.quality;
    config.method = options.method;
    let (width, height) = (width as u32, height as u32);
    let encoder = if has_alpha {
        webp::Encoder::from_rgba(pixels, width, height)
    } else {
        webp::Encoder::from_rgb(pixels, width, height)
    };
    let file = encoder
        .encode_advanced(&config)
        .map_err(|error| failed(format!("{error:?}")))?;
    let mut chunks = Vec::new();
    for (name, data) in chunks_of(&file) {
        if [*b"ALPH", *b"VP8 ", *b"VP8L"].contains(&name) {
            push(&mut chunks, name, data);
        }
    }
    if chunks.is_empty() {
        return Err(failed("it gave a file without pixels".to_owned()));
    }
    Ok(Compressed { chunks, has_alpha })
}

/// The chunks of a RIFF file, as far as they are whole.
fn chunks_of(file: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = file.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (name, tail) = rest.split_first_chunk::<4>()?;
        let (length, tail) = tail.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let data = tail.get(..length)?;
        rest = tail.get(length + length % 2..).unwrap_or_default();
        Some((*name, data))
    })
}

/// Adds a chunk, of an even length.
///
/// The official front end looks for EXIF without skipping the byte that fills up an odd chunk. So no chunk is odd: the byte is
/// counted as one of the pixels' data, which decoders know the end of.
fn push(file: &mut Vec<u8>, name: [u8; 4], data: &[u8]) {
    let length = data.len() + data.len() % 2;
    file.extend(name);
    file.extend((length as u32).to_le_bytes());
    file.extend(data);
    file.resize(file.len() + data.len() % 2, 0);
}

/// Width and height less one, 24 bits each.
fn size24(width: usize, height: usize) -> Vec<u8> {
    [width, height]
        .iter()
        .flat_map(|side| ((side - 1) as u32).to_le_bytes().into_iter().take(3))
        .collect()
}

/// A TIFF structure whose tags hold the texts as `keyword:text`: the prompt as the camera's model (0x0110), the others from the
/// camera's make (0x010f) downwards.
fn exif_of(texts: &[(String, String)]) -> Vec<u8> {
    const MODEL: u16 = 0x0110;
    let mut entries = Vec::new();
    let mut next = MODEL - 1;
    for (keyword, text) in texts {
        let tag = if keyword == "prompt" && entries.is_empty() {
            MODEL
        } else {
            let tag = next;
            next -= 1;
            tag
        };
        // The JSON we write is ASCII; what a keyword has beyond it becomes a question mark.
        let ascii = |character: char| u8::try_from(character).ok().filter(u8::is_ascii);
        let mut value: Vec<u8> = keyword
            .chars()
            .chain([':'])
            .chain(text.chars())
            .map(|character| ascii(character).unwrap_or(b'?'))
            .collect();
        value.push(0);
        entries.push((tag, value));
        if next == 0 {
            break;
        }
    }
    if entries.is_empty() {
        return Vec::new();
    }
    entries.sort_unstable_by_key(|(tag, _)| *tag);
    let mut directory = b"II*\0\x08\0\0\0".to_vec();
    directory.extend((entries.len() as u16).to_le_bytes());
    let mut values = Vec::new();
    let start = directory.len() + entries.len() * 12 + 4;
    for (tag, value) in &entries {
        const ASCII: u16 = 2;
        directory.extend(tag.to_le_bytes());
        directory.extend(ASCII.to_le_bytes());
        directory.extend((value.len() as u32).to_le_bytes());
        if value.len() <= 4 {
            let mut field = value.clone();
            field.resize(4, 0);
            directory.extend(field);
        } else {
            directory.extend(((start + values.len()) as u32).to_le_bytes());
            values.extend(value);
            values.resize(values.len() + values.len() % 2, 0);
        }
    }
    directory.extend([0; 4]);
    directory.extend(values);
    directory
}
