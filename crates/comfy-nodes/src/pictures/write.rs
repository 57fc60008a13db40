//! Writing PNG: pixels, text chunks, and files that appear whole or not at all.

use std::io::Write;
use std::path::{Path, PathBuf};

/// A picture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The slice does not hold a picture of this size, or PNG has no colour type for the number of channels.
    #[error(
        "expected a picture of 1, 2, 3 or 4 channels with {width}x{height} pixels, got {got} bytes in {channels} channels"
    )]
    Shape {
        /// Width.
        width: usize,
        /// Height.
        height: usize,
        /// Channels.
        channels: usize,
        /// Length of the slice.
        got: usize,
    },
    /// The encoder failed.
    #[error("cannot encode the picture: {0}")]
    Encoding(String),
    /// The operating system refused.
    #[error("cannot write to {}: {source}", .path.display())]
    Io {
        /// The file or its directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl From<png::EncodingError> for WriteError {
    fn from(error: png::EncodingError) -> Self {
        Self::Encoding(error.to_string())
    }
}

/// How hard the encoder tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// For files that are kept.
    Balanced,
    /// For previews that nobody keeps.
    Fast,
}

/// A `tEXt` chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PngText {
    /// 1 to 79 printable Latin-1 characters.
    pub keyword: String,
    /// Latin-1; the JSON we write is ASCII.
    pub text: String,
}

impl PngText {
    /// Whether PNG can hold it as it is.
    pub fn is_valid(&self) -> bool {
        let printable = |character: char| matches!(u32::from(character), 0x20..=0x7e | 0xa1..=0xff);
        (1..=79).contains(&self.keyword.chars().count())
            && self.keyword.chars().all(printable)
            && self
                .text
                .chars()
                .all(|character| character != '\0' && u32::from(character) <= 0xff)
    }
}

/// Encodes bytes in the order `[height, width, channel]` as PNG of 8 bits. One channel is grey, two are grey and opacity, three
/// are red, green and blue, four have opacity as well. The text chunks come before the pixels; those that PNG cannot hold are
/// left out with a warning, because a picture is worth more than its metadata.
pub fn encode_png(
    bytes: &[u8],
    width: usize,
    height: usize,
    channels: usize,
    texts: &[PngText],
    compression: Compression,
) -> Result<Vec<u8>, WriteError> {
    let mut file = Vec::new();
    let mut encoder = png_encoder(&mut file, bytes.len(), width, height, channels)?;
    encoder.set_compression(match compression {
        Compression::Balanced => png::Compression::Balanced,
        Compression::Fast => png::Compression::Fast,
    });
    for text in texts {
        if text.is_valid() {
            encoder.add_text_chunk(text.keyword.clone(), text.text.clone())?;
        } else {
            tracing::warn!(keyword = %text.keyword, "PNG cannot hold this metadata, it is left out");
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(file)
}

/// An encoder for `length` bytes of this size, 8 bits a channel.
pub(super) fn png_encoder(
    file: &mut Vec<u8>,
    length: usize,
    width: usize,
    height: usize,
    channels: usize,
) -> Result<png::Encoder<'static, &mut Vec<u8>>, WriteError> {
    let shape = || WriteError::Shape {
        width,
        height,
        channels,
        got: length,
    };
    let color = match channels {
        1 => png::ColorType::Grayscale,
        2 => png::ColorType::GrayscaleAlpha,
        3 => png::ColorType::Rgb,
        4 => png::ColorType::Rgba,
        _ => return Err(shape()),
    };
    let expected = width
        .checked_mul(height)
        .and_then(|pixels| pixels.checked_mul(channels));
    let (Ok(png_width), Ok(png_height), true) = (
        u32::try_from(width),
        u32::try_from(height),
        expected == Some(length),
    ) else {
        return Err(shape());
    };
    let mut encoder = png::Encoder::new(file, png_width, png_height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    Ok(encoder)
}

/// Writes a new file into `folder`, under the first name of `name_of(counter)`, `name_of(counter + 1)`, … that is free. The file
/// gets its name when it is complete; an existing file is never replaced. Gives the name and the counter it has.
pub fn save_new(
    folder: &Path,
    counter: u64,
    name_of: impl Fn(u64) -> String,
    contents: &[u8],
) -> Result<(String, u64), WriteError> {
    let mut file = NewFile::begin(folder)?;
    file.write_all(contents)
        .map_err(|source| io(file.0.path(), source))?;
    file.finish(folder, counter, name_of)
}

fn io(path: &Path, source: std::io::Error) -> WriteError {
    WriteError::Io {
        path: path.to_path_buf(),
        source,
    }
}

/// A file that gets its name when it is complete, and vanishes if it never is. It is written to like any other.
#[derive(Debug)]
pub struct NewFile(tempfile::NamedTempFile);

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl NewFile {
    /// An empty file in `folder`.
    pub fn begin(folder: &Path) -> Result<Self, WriteError> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".saving-").suffix(".part");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // What is left of this after the user's mask, as for any new file.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(folder);
        file.map(Self).map_err(|source| io(folder, source))
    }

    /// Gives the file the first name of `name_of(counter)`, `name_of(counter + 1)`, … that is free in `folder`. Gives the name and the
    /// counter it has.
    pub fn finish(
        self,
        folder: &Path,
        counter: u64,
        name_of: impl Fn(u64) -> String,
    ) -> Result<(String, u64), WriteError> {
        let (mut file, mut counter) = (self.0, counter);
        loop {
            let name = name_of(counter);
            let path = folder.join(&name);
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok((name, counter)),
                Err(failed) if path.symlink_metadata().is_ok() => {
                    file = failed.file;
                    counter = counter
                        .checked_add(1)
                        .ok_or_else(|| io(&path, std::io::Error::other("no counter is free")))?;
                }
                // Some file systems cannot rename without replacing. Nothing is there, so a plain rename does.
                Err(failed) => match failed.file.persist(&path) {
                    Ok(_) => return Ok((name, counter)),
                    Err(failed) => return Err(io(&path, failed.error)),
                },
            }
        }
    }
}
