//! AVX2 with fused multiply-add: sixteen registers of eight values.

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::{Tile, as_it_is};

// Twelve registers of sums, two of the right side, one of the left.
const ROWS: usize = 6;
const LANES: usize = 16;

pub(super) fn single() -> Option<Tile> {
    let there = std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma");
    there.then_some(Tile {
        rows: ROWS,
        lanes: LANES,
        depths_of_word: 1,
        name: "AVX2",
        run,
        join: as_it_is,
    })
}

fn run(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<LANES>();
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    // SAFETY: only `single` gives this function away, where the processor was asked for both sets of instructions.
    unsafe {
        multiply(left, right, result, row_stride, add);
    }
}

#[target_feature(enable = "avx2,fma")]
fn multiply(
    left: &[[f32; ROWS]],
    right: &[[f32; LANES]],
    result: &mut [f32],
    row_stride: usize,
    add: bool,
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    for (left, right) in left.iter().zip(right) {
        let (right, _) = right.as_chunks::<8>();
        let right = [load(&right[0]), load(&right[1])];
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = _mm256_set1_ps(*left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = _mm256_fmadd_ps(left, right, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        let (result, _) = result[row * row_stride..][..LANES].as_chunks_mut::<8>();
        for (result, sum) in result.iter_mut().zip(sums) {
            let sum = if add { _mm256_add_ps(load(result), *sum) } else { *sum };
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the array has room for the eight values that are stored.
            unsafe {
                _mm256_storeu_ps(result.as_mut_ptr(), sum);
            }
        }
    }
}

#[target_feature(enable = "avx2")]
fn load(values: &[f32; 8]) -> __m256 {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has the eight values that are loaded.
    unsafe {
        _mm256_loadu_ps(values.as_ptr())
    }
}
