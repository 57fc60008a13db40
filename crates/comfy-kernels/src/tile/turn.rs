//! Exchanging the two dimensions of a small block.

/// Lanes of a block, and depths that are turned together.
pub(crate) const LANES: usize = 8;
pub(crate) const DEPTH: usize = 32;

/// What each lane has at its depths, and what each depth has in its lanes.
pub(crate) type Before = [[f32; DEPTH]; LANES];
pub(crate) type After = [[f32; LANES]; DEPTH];

/// The fastest way that this processor has.
pub(crate) fn best() -> fn(&Before, &mut After) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        return |before, after| {
            #[expect(unsafe_code, reason = "instructions that not every processor has")]
            // SAFETY: the processor was asked for them before this function was given away.
            unsafe {
                wide(before, after);
            }
        };
    }
    plain
}

pub(crate) fn plain(before: &Before, after: &mut After) {
    for (depth, after) in after.iter_mut().enumerate() {
        for (after, lane) in after.iter_mut().zip(before) {
            *after = lane[depth];
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn wide(before: &Before, after: &mut After) {
    use std::arch::x86_64::{
        _mm256_loadu_ps, _mm256_permute2f128_ps, _mm256_shuffle_ps, _mm256_storeu_ps,
        _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    };

    const LOW: i32 = 0x44;
    const HIGH: i32 = 0xee;
    let (after, _) = after.as_chunks_mut::<LANES>();
    for (part, after) in after.iter_mut().enumerate() {
        let row = |lane: usize| {
            let (parts, _) = before[lane].as_chunks::<8>();
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the array has the eight values that are loaded.
            unsafe {
                _mm256_loadu_ps(parts[part].as_ptr())
            }
        };
        // Pairs of two lanes, then fours of four lanes, then all eight.
        let pairs = |first: usize| {
            let (one, two) = (row(first), row(first + 1));
            (_mm256_unpacklo_ps(one, two), _mm256_unpackhi_ps(one, two))
        };
        let fours = |first: usize| {
            let ((a, b), (c, d)) = (pairs(first), pairs(first + 2));
            [
                _mm256_shuffle_ps::<LOW>(a, c),
                _mm256_shuffle_ps::<HIGH>(a, c),
                _mm256_shuffle_ps::<LOW>(b, d),
                _mm256_shuffle_ps::<HIGH>(b, d),
            ]
        };
        let (upper, lower) = (fours(0), fours(4));
        for (index, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
            let first = _mm256_permute2f128_ps::<0x20>(upper, lower);
            let second = _mm256_permute2f128_ps::<0x31>(upper, lower);
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the arrays have room for the eight values that are stored.
            unsafe {
                _mm256_storeu_ps(after[index].as_mut_ptr(), first);
                _mm256_storeu_ps(after[index + 4].as_mut_ptr(), second);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{After, Before, DEPTH, LANES, best};

    #[test]
    fn depths_become_lanes() {
        let mut before: Before = [[0.0; DEPTH]; LANES];
        for (lane, values) in before.iter_mut().enumerate() {
            for (depth, value) in values.iter_mut().enumerate() {
                *value = (lane * DEPTH + depth) as f32;
            }
        }
        let mut after: After = [[0.0; LANES]; DEPTH];
        best()(&before, &mut after);
        for (depth, values) in after.iter().enumerate() {
            for (lane, value) in values.iter().enumerate() {
                assert!((value - (lane * DEPTH + depth) as f32).abs() < 0.5);
            }
        }
    }
}
