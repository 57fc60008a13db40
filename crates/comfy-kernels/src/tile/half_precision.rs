//! Widening 16-bit floats.

use half::f16;

/// Widens as many values as both slices have.
pub(crate) fn widen(from: &[f16], to: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx") && std::arch::is_x86_feature_detected!("f16c") {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide(from, to);
        }
        return;
    }
    for (to, from) in to.iter_mut().zip(from) {
        *to = from.to_f32();
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx,f16c")]
fn wide(from: &[f16], to: &mut [f32]) {
    use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps, _mm256_storeu_ps};

    let count = from.len().min(to.len());
    let (eights, rest) = from[..count].as_chunks::<8>();
    let (places, places_of_rest) = to[..count].as_chunks_mut::<8>();
    for (place, eight) in places.iter_mut().zip(eights) {
        #[expect(unsafe_code, reason = "the instructions take pointers")]
        // SAFETY: both arrays have eight values, of 16 and of 32 bits.
        unsafe {
            let wide = _mm256_cvtph_ps(_mm_loadu_si128(eight.as_ptr().cast()));
            _mm256_storeu_ps(place.as_mut_ptr(), wide);
        }
    }
    for (to, from) in places_of_rest.iter_mut().zip(rest) {
        *to = from.to_f32();
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::widen;

    #[test]
    fn every_number_keeps_its_value() {
        for count in [1, 7, 8, 9, 1 << 16] {
            let from: Vec<f16> = (0..count).map(|bits| f16::from_bits(bits as u16)).collect();
            let mut to = vec![0.0; from.len()];
            widen(&from, &mut to);
            for (from, to) in from.iter().zip(to) {
                assert!(
                    from.to_f32().to_bits() == to.to_bits() || from.is_nan() && to.is_nan(),
                    "{from:?} {to}"
                );
            }
        }
    }
}
