//! Element types of stored tensors, decoded to `f32`.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

/// Elements that one task decodes: large enough that the task costs nothing beside it, small enough to stay in cache.
const CHUNK: usize = 1 << 15;

/// `bytes` (little endian, C order) as `f32`; `None` for types that are no single numbers or not a whole number of bytes.
///
/// Values are exact for all float types but `F64`, which is rounded to nearest, as are integers beyond 24 bits.
pub(super) fn decode(element: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    Some(match element {
        Dtype::F32 => by_element(bytes, f32::from_le_bytes),
        Dtype::F64 => by_element(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F16 => by_half(bytes, f16::from_le_bytes, |from, to| {
            from.convert_to_f32_slice(to);
        }),
        Dtype::BF16 => by_half(bytes, bf16::from_le_bytes, |from, to| {
            from.convert_to_f32_slice(to);
        }),
        Dtype::F8_E4M3 => by_table(bytes, e4m3),
        Dtype::F8_E5M2 => by_table(bytes, e5m2),
        Dtype::F8_E4M3FNUZ => by_table(bytes, |byte| fnuz(byte, 3)),
        Dtype::F8_E5M2FNUZ => by_table(bytes, |byte| fnuz(byte, 2)),
        Dtype::F8_E8M0 => by_table(bytes, e8m0),
        Dtype::BOOL => by_table(bytes, |byte| f32::from(u8::from(byte != 0))),
        Dtype::U8 => by_table(bytes, f32::from),
        Dtype::I8 => by_table(bytes, |byte| f32::from(byte.cast_signed())),
        Dtype::U16 => by_element(bytes, |b| f32::from(u16::from_le_bytes(b))),
        Dtype::I16 => by_element(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::U32 => by_element(bytes, |b| u32::from_le_bytes(b) as f32),
        Dtype::I32 => by_element(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::U64 => by_element(bytes, |b| u64::from_le_bytes(b) as f32),
        Dtype::I64 => by_element(bytes, |b| i64::from_le_bytes(b) as f32),
        // C64 are pairs; F4 and F6 share bytes between elements; types to come are unknown.
        _ => return None,
    })
}

/// 16-bit floats.
#[derive(Debug)]
pub(super) enum Halves {
    /// IEEE half precision.
    Ieee(Vec<f16>),
    /// The upper halves of `f32`.
    Brain(Vec<bf16>),
}

/// `bytes` (little endian, C order) as the 16-bit floats that they are; `None` for other types.
pub(super) fn halves(element: Dtype, bytes: &[u8]) -> Option<Halves> {
    fn read<H: Send>(bytes: &[u8], from_bits: impl Fn(u16) -> H + Sync) -> Vec<H> {
        let (elements, _) = bytes.as_chunks::<2>();
        let elements = elements.par_iter().with_min_len(CHUNK);
        elements
            .map(|element| from_bits(u16::from_le_bytes(*element)))
            .collect()
    }
    match element {
        Dtype::F16 => Some(Halves::Ieee(read(bytes, f16::from_bits))),
        Dtype::BF16 => Some(Halves::Brain(read(bytes, bf16::from_bits))),
        _ => None,
    }
}

/// Values rounded to IEEE halves; nothing if one of them is too large.
pub(super) fn narrowed(values: &[f32]) -> Option<Vec<f16>> {
    let mut halves = vec![f16::ZERO; values.len()];
    let chunks = halves.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    let fits = chunks
        .map(|(to, from)| {
            to.convert_from_f32_slice(from);
            to.iter().all(|value| value.is_finite())
        })
        .reduce(|| true, |left, right| left && right);
    fits.then_some(halves)
}

impl Halves {
    /// Whether a value is no number.
    pub(super) fn have_nan(&self) -> bool {
        match self {
            Self::Ieee(values) => values
                .par_iter()
                .with_min_len(CHUNK)
                .any(|value| value.is_nan()),
            Self::Brain(values) => values
                .par_iter()
                .with_min_len(CHUNK)
                .any(|value| value.is_nan()),
        }
    }
}

/// Decodes elements of `N` bytes.
fn by_element<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<N>();
    let mut values = vec![0.0; elements.len()];
    values
        .par_chunks_mut(CHUNK)
        .zip(elements.par_chunks(CHUNK))
        .for_each(|(to, from)| {
            for (to, from) in to.iter_mut().zip(from) {
                *to = decode(*from);
            }
        });
    values
}

/// Decodes 16-bit floats in runs, for which the processor has instructions.
fn by_half<H: Copy + Send + Sync>(
    bytes: &[u8],
    read: impl Fn([u8; 2]) -> H + Sync,
    convert: impl Fn(&[H], &mut [f32]) + Sync,
) -> Vec<f32> {
    let (elements, _) = bytes.as_chunks::<2>();
    let mut values = vec![0.0; elements.len()];
    values
        .par_chunks_mut(CHUNK)
        .zip(elements.par_chunks(CHUNK))
        .for_each(|(to, from)| {
            // The mapped bytes have no particular alignment, so they are copied into place first.
            let aligned: Vec<H> = from.iter().map(|&element| read(element)).collect();
            convert(&aligned, to);
        });
    values
}

/// Decodes bytes through the 256 values they can have.
fn by_table(bytes: &[u8], decode: impl Fn(u8) -> f32) -> Vec<f32> {
    let table: Vec<f32> = (0..=u8::MAX).map(decode).collect();
    by_element(bytes, |[byte]| table[usize::from(byte)])
}

/// 8-bit float with 4 exponent and 3 mantissa bits, bias 7, no infinities, one NaN (Micikevicius et al. 2022, "FP8 formats for deep learning").
fn e4m3(byte: u8) -> f32 {
    if byte & 0x7f == 0x7f {
        f32::NAN
    } else {
        small_float(byte, 3, 7)
    }
}

/// 8-bit float with 5 exponent and 2 mantissa bits: the upper byte of an IEEE half (same paper).
fn e5m2(byte: u8) -> f32 {
    f16::from_bits(u16::from(byte) << 8).to_f32()
}

/// The variants without infinities and negative zero, whose bias is larger by one (Noune et al. 2022, "8-bit numerical formats for deep neural networks").
fn fnuz(byte: u8, mantissa_bits: u32) -> f32 {
    let bias = 1 << (6 - mantissa_bits);
    if byte == 0x80 {
        f32::NAN
    } else {
        small_float(byte, mantissa_bits, bias)
    }
}

/// An exponent alone (OCP microscaling formats, section 5.4.1).
fn e8m0(byte: u8) -> f32 {
    if byte == u8::MAX {
        f32::NAN
    } else {
        exp2(i32::from(byte) - 127)
    }
}

/// Sign, exponent, mantissa; subnormals where the exponent is 0.
fn small_float(byte: u8, mantissa_bits: u32, bias: i32) -> f32 {
    let sign = if byte & 0x80 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from((byte & 0x7f) >> mantissa_bits);
    let fraction = f32::from(byte & ((1 << mantissa_bits) - 1)) / exp2(mantissa_bits as i32);
    if exponent == 0 {
        sign * fraction * exp2(1 - bias)
    } else {
        sign * (1.0 + fraction) * exp2(exponent - bias)
    }
}

fn exp2(exponent: i32) -> f32 {
    (exponent as f32).exp2()
}
