//! Picture files of every format.

use comfy_nodes::pictures::{ReadLimits, read_bytes};

/// Small, so that it shows whether they are heeded.
const LIMITS: ReadLimits = ReadLimits {
    file_bytes: 1 << 20,
    pixels: 1 << 20,
};

/// A picture of any format.
pub fn picture(bytes: &[u8]) {
    let Ok(picture) = read_bytes(bytes, &LIMITS) else {
        return;
    };
    let mut pixels = 0;
    for frame in &picture.frames {
        let count = frame.width * frame.height;
        pixels += count;
        assert_eq!(frame.rgb.len(), count * 3, "colours");
        assert!(frame.opacity().is_none_or(|alpha| alpha.len() == count));
    }
    assert!(pixels as u64 <= LIMITS.pixels, "{pixels} pixels");
}

/// A PNG file, as it is and with true check sums, without which no change reaches the decoder.
pub fn png(bytes: &[u8]) {
    picture(bytes);
    let mut mended = bytes.to_vec();
    mend(&mut mended);
    picture(&mended);
}

/// Writes the check sum of every chunk that is whole.
fn mend(file: &mut [u8]) {
    let mut at = 8;
    while let Some(length) = file.get(at..at + 4) {
        let length = length
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let end = at + 8 + length;
        let Some(sum) = file.get(at + 4..end).map(crc32) else {
            return;
        };
        if let Some(place) = file.get_mut(end..end + 4) {
            place.copy_from_slice(&sum.to_be_bytes());
        }
        at = end + 4;
    }
}

/// The check sum of a PNG chunk.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}
