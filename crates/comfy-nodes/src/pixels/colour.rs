//! Luma and chroma: JPEG's full-range `YCbCr` of BT.601, with the coefficients that kornia has.

/// Luma and the two differences, these around one half, of red, green and blue.
pub fn to_ycbcr([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    [
        luma,
        (blue - luma) * 0.564 + 0.5,
        (red - luma) * 0.713 + 0.5,
    ]
}

/// Red, green and blue in 0..1 of luma and the two differences.
pub fn from_ycbcr([luma, blue_difference, red_difference]: [f32; 3]) -> [f32; 3] {
    let (blue, red) = (blue_difference - 0.5, red_difference - 0.5);
    [
        luma + 1.402_524_5 * red,
        luma - 0.714_403_5 * red - 0.344_340_14 * blue,
        luma + 1.773_049_6 * blue,
    ]
    .map(|value| value.clamp(0.0, 1.0))
}
