//! Laying pictures on pictures.

use comfy_graph::NodeError;
use rayon::prelude::*;

use super::buffer::zeroed;

/// Where the upper left corner of the source comes to lie on the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Columns from the left.
    pub x: usize,
    /// Rows from the top.
    pub y: usize,
}

/// Pictures with another number of channels: the first ones, or filled up with ones, which are full opacity.
pub fn with_channels(
    source: &[f32],
    channels: usize,
    wanted: usize,
) -> Result<Vec<f32>, NodeError> {
    let pixels = source.len() / channels.max(1);
    let mut result = zeroed(&[pixels, wanted])?;
    let kept = channels.min(wanted);
    result
        .par_chunks_mut(wanted.max(1))
        .zip(source.par_chunks(channels.max(1)))
        .with_min_len(1 << 12)
        .for_each(|(result, source)| {
            result[..kept].copy_from_slice(&source[..kept]);
            result[kept..].fill(1.0);
        });
    Ok(result)
}

/// Lays one picture of a batch over each of the destination's: `source(index)` and `mask(index)` are those of the destination's
/// picture `index`. The mask has the source's height and width; 1 shows the source. What hangs over the edge is dropped.
pub fn composite<'a>(
    destination: &[f32],
    [_, height, width, channels]: [usize; 4],
    source: impl Fn(usize) -> &'a [f32] + Sync,
    [source_height, source_width]: [usize; 2],
    mask: Option<&(impl Fn(usize) -> &'a [f32] + Sync)>,
    at: Placement,
) -> Vec<f32> {
    let mut result = destination.to_vec();
    let row = width * channels;
    let visible = source_width.min(width.saturating_sub(at.x));
    if row == 0 || visible == 0 {
        return result;
    }
    result
        .par_chunks_mut(row)
        .enumerate()
        .for_each(|(index, below)| {
            let (picture, y) = (index / height, index % height);
            let Some(y) = y.checked_sub(at.y).filter(|&y| y < source_height) else {
                return;
            };
            let below = &mut below[at.x * channels..][..visible * channels];
            let above = &source(picture)[y * source_width * channels..][..visible * channels];
            let Some(mask) = mask else {
                below.copy_from_slice(above);
                return;
            };
            let mask = &mask(picture)[y * source_width..][..visible];
            let pixels = below
                .chunks_exact_mut(channels)
                .zip(above.chunks_exact(channels));
            for ((below, above), &shown) in pixels.zip(mask) {
                for (below, &above) in below.iter_mut().zip(above) {
                    *below = shown * above + (1.0 - shown) * *below;
                }
            }
        });
    result
}
