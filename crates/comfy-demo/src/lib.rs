//! The checkpoint that the server brings along: a small latent diffusion model in the layout of Stable Diffusion 1 that draws emoji
//! from words. `recipes/emoji-demo` made it and says from what and under which licences.

use std::io::{self, Read, Write};

/// The name of its file.
pub const NAME: &str = "emoji-demo.safetensors";

/// What `packing.py` of the recipe made of the file: see [`unpack`].
static PACKED: &[u8] = include_bytes!("../model/emoji-demo.safetensors.packed");

/// Bytes that are put together at a time.
const PIECE: usize = 1 << 16;

/// Writes the file `emoji-demo.safetensors`.
///
/// All tensors hold numbers of 16 bits. The bytes with their signs and exponents resemble each other and those with the rest of their
/// digits do not, so they stand apart in the packed file, which is a gzip stream of the header's length (8 bytes), the header, the high bytes of all
/// numbers, and then their low bytes.
pub fn unpack(to: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(PACKED).read_to_end(&mut bytes)?;
    let cut = || io::Error::new(io::ErrorKind::UnexpectedEof, "the packed model is cut off");
    let length = bytes.first_chunk().ok_or_else(cut)?;
    let start = 8 + usize::try_from(u64::from_le_bytes(*length)).map_err(io::Error::other)?;
    let (header, numbers) = bytes.split_at_checked(start).ok_or_else(cut)?;
    let (high, low) = numbers.split_at(numbers.len() / 2);
    to.write_all(header)?;
    let mut piece = Vec::with_capacity(2 * PIECE);
    for (high, low) in high.chunks(PIECE).zip(low.chunks(PIECE)) {
        piece.clear();
        piece.extend(low.iter().zip(high).flat_map(|(low, high)| [*low, *high]));
        to.write_all(&piece)?;
    }
    Ok(())
}
