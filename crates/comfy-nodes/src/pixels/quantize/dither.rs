//! Mapping a picture to its palette.

use comfy_graph::Choice;

use super::{Palette, median_cut};

/// How colours between those of the palette are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Dither {
    /// By the nearest one.
    #[choice("none")]
    None,
    /// What a pixel is off by is spread over its neighbours (Floyd and Steinberg 1976).
    #[choice("floyd-steinberg")]
    FloydSteinberg,
    /// With a pattern of 2 by 2 pixels (Bayer 1973).
    #[choice("bayer-2")]
    Bayer2,
    /// With a pattern of 4 by 4 pixels.
    #[choice("bayer-4")]
    Bayer4,
    /// With a pattern of 8 by 8 pixels.
    #[choice("bayer-8")]
    Bayer8,
    /// With a pattern of 16 by 16 pixels.
    #[choice("bayer-16")]
    Bayer16,
}

/// Reduces a picture of bytes `[height, width, 3]` to at most `colours` colours.
pub fn quantize(pixels: &mut [u8], width: usize, colours: usize, dither: Dither) {
    if pixels.is_empty() {
        return;
    }
    let mut palette = Palette::new(median_cut(pixels, colours));
    match dither {
        Dither::None => palette.map(pixels),
        Dither::FloydSteinberg => floyd_steinberg(pixels, width, &mut palette),
        Dither::Bayer2 => bayer(pixels, width, 1, &mut palette),
        Dither::Bayer4 => bayer(pixels, width, 2, &mut palette),
        Dither::Bayer8 => bayer(pixels, width, 3, &mut palette),
        Dither::Bayer16 => bayer(pixels, width, 4, &mut palette),
    }
}

/// A pixel's error goes on in sixteenths: 7 to the right, 3, 5 and 1 to the row below. Sixteenths are dropped towards zero.
fn floyd_steinberg(pixels: &mut [u8], width: usize, palette: &mut Palette) {
    // For the row below, one entry further right, so that the first pixel has a left neighbour.
    let mut below = vec![[0_i32; 3]; width + 1];
    for row in pixels.chunks_exact_mut(width * 3) {
        let mut right = [0_i32; 3];
        // What is complete of the entry to the left, and what has come together for the one under the pixel.
        let mut left_sum = [0_i32; 3];
        let mut last = [0_i32; 3];
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let mut wanted = [0_u8; 3];
            for channel in 0..3 {
                let spread = (right[channel] + below[x + 1][channel]) / 16;
                wanted[channel] = (i32::from(pixel[channel]) + spread).clamp(0, 255) as u8;
            }
            let found = palette.nearest(wanted);
            for channel in 0..3 {
                let error = i32::from(wanted[channel]) - i32::from(found[channel]);
                below[x][channel] = 3 * error + left_sum[channel];
                left_sum[channel] = 5 * error + last[channel];
                last[channel] = error;
                right[channel] = 7 * error;
            }
            pixel.copy_from_slice(&found);
        }
        // The last entry holds what PIL leaves there: three values of blue.
        below[width] = [left_sum[2], last[2], last[2]];
    }
}

/// The threshold pattern of `2^order` by `2^order` pixels, between -1/2 and 1/2, row by row.
fn bayer_pattern(order: u32) -> Vec<f32> {
    let mut pattern = vec![0.0_f32];
    for level in 1..=order {
        let (old, side) = (pattern, 1_usize << level);
        let quarters = 4_f32.powi(level as i32);
        pattern = (0..side * side)
            .map(|index| {
                let (y, x) = (index / side, index % side);
                let half = side / 2;
                let offset = match (y < half, x < half) {
                    (true, true) => -1.5,
                    (true, false) => 0.5,
                    (false, true) => 1.5,
                    (false, false) => -0.5,
                };
                (quarters * old[y % half * half + x % half] + offset) / quarters
            })
            .collect();
    }
    pattern
}

/// Adds the pattern, the wider the fewer colours there are, and takes the nearest colours.
fn bayer(pixels: &mut [u8], width: usize, order: u32, palette: &mut Palette) {
    let side = 1_usize << order;
    let spread = 512.0 / palette.colours().len() as f64;
    let pattern: Vec<f32> = bayer_pattern(order)
        .into_iter()
        .map(|threshold| spread as f32 * threshold + 0.5)
        .collect();
    for (y, row) in pixels.chunks_exact_mut(width * 3).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let threshold = pattern[y % side * side + x % side];
            for byte in pixel {
                // `as` drops the fraction.
                *byte = (f32::from(*byte) + threshold).clamp(0.0, 255.0) as u8;
            }
        }
    }
    palette.map(pixels);
}
