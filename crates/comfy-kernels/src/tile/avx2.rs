//! AVX2 with fused multiply-add: sixteen registers of eight values.

use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

use super::unrolled::unrolled;
use super::{Layout, Tile, nothing};

// Twelve registers of sums, two of the right side, one of the left.
const ROWS: usize = 6;
const LANES: usize = 16;

pub(super) fn single() -> Option<Tile> {
    let there =
        std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma");
    there.then_some(Tile {
        rows: ROWS,
        lanes: LANES,
        layout: Layout::Values,
        name: "AVX2",
        run,
        prepare: nothing,
        release: nothing,
    })
}

fn run(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<8>();
    let (right, _) = right.as_chunks::<2>();
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    // SAFETY: only `single` gives this function away, where the processor was asked for both sets of instructions.
    unsafe {
        multiply(left, right, result, row_stride, add);
    }
}

#[target_feature(enable = "avx2,fma")]
fn multiply(
    left: &[[f32; ROWS]],
    right: &[[[f32; 8]; 2]],
    result: &mut [f32],
    row_stride: usize,
    add: bool,
) {
    unrolled! {
        panels: left, right;
        result: result, row_stride, add;
        zero: _mm256_setzero_ps(); broadcast: _mm256_set1_ps; multiply: add_product;
        load: load; sum: _mm256_add_ps; load_sum: load; store: store;
        sums: 0 a0 b0, 1 a1 b1, 2 a2 b2, 3 a3 b3, 4 a4 b4, 5 a5 b5
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_product(sum: __m256, left: __m256, right: __m256) -> __m256 {
    _mm256_fmadd_ps(left, right, sum)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(values: &[f32; 8]) -> __m256 {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has the eight values that are loaded.
    unsafe {
        _mm256_loadu_ps(values.as_ptr())
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(place: &mut [f32; 8], values: __m256) {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has room for the eight values that are stored.
    unsafe {
        _mm256_storeu_ps(place.as_mut_ptr(), values);
    }
}
