//! Between 0..1 and 0..255.

/// 0..1 to bytes as `ComfyUI` writes pictures: times 255, clipped, *truncated*. Not a number becomes 0.
pub fn bytes_from_units(values: &[f32]) -> Vec<u8> {
    // `as` truncates towards zero, clips to the range and maps NaN to 0.
    values.iter().map(|value| (255.0 * value) as u8).collect()
}

/// Bytes to 0..1, divided in `f32`.
pub fn units_from_bytes(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}
