//! AVX-512: thirty-two registers of sixteen values; and its products of pairs of `bf16`.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

use super::unrolled::unrolled;
use super::{Tile, as_it_is};

// Twenty-eight registers of sums, two of the right side, one of the left.
const ROWS: usize = 14;
const LANES: usize = 32;

pub(super) fn single() -> Option<Tile> {
    std::arch::is_x86_feature_detected!("avx512f").then_some(Tile {
        rows: ROWS,
        lanes: LANES,
        depths_of_word: 1,
        name: "AVX-512",
        run,
        join: as_it_is,
    })
}

pub(super) fn brain() -> Option<Tile> {
    let there = std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512bf16");
    there.then_some(Tile {
        rows: ROWS,
        lanes: LANES,
        depths_of_word: 2,
        name: "AVX512-BF16",
        run: run_brain,
        join,
    })
}

fn run(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<16>();
    let (right, _) = right.as_chunks::<2>();
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    // SAFETY: only `single` gives this function away, where the processor was asked for the instructions.
    unsafe {
        multiply(left, right, result, row_stride, add);
    }
}

fn run_brain(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<16>();
    let (right, _) = right.as_chunks::<2>();
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    // SAFETY: only `brain` gives this function away, where the processor was asked for both sets of instructions.
    unsafe {
        multiply_brain(left, right, result, row_stride, add);
    }
}

fn join(panel: &mut [f32], width: usize) {
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    // SAFETY: only `brain` gives this function away, where the processor was asked for the instructions.
    unsafe {
        join_wide(panel, width);
    }
}

#[target_feature(enable = "avx512f")]
fn multiply(
    left: &[[f32; ROWS]],
    right: &[[[f32; 16]; 2]],
    result: &mut [f32],
    row_stride: usize,
    add: bool,
) {
    unrolled! {
        panels: left, right;
        result: result, row_stride, add;
        zero: _mm512_setzero_ps(); broadcast: _mm512_set1_ps; multiply: add_product;
        load: load; sum: _mm512_add_ps; load_sum: load; store: store;
        sums: 0 a0 b0, 1 a1 b1, 2 a2 b2, 3 a3 b3, 4 a4 b4, 5 a5 b5, 6 a6 b6, 7 a7 b7, 8 a8 b8, 9 a9 b9, 10 a10 b10, 11 a11 b11, 12 a12 b12, 13 a13 b13
    }
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_brain(
    left: &[[f32; ROWS]],
    right: &[[[f32; 16]; 2]],
    result: &mut [f32],
    row_stride: usize,
    add: bool,
) {
    unrolled! {
        panels: left, right;
        result: result, row_stride, add;
        zero: _mm512_setzero_ps(); broadcast: broadcast_pair; multiply: _mm512_dpbf16_ps;
        load: load_pairs; sum: _mm512_add_ps; load_sum: load; store: store;
        sums: 0 a0 b0, 1 a1 b1, 2 a2 b2, 3 a3 b3, 4 a4 b4, 5 a5 b5, 6 a6 b6, 7 a7 b7, 8 a8 b8, 9 a9 b9, 10 a10 b10, 11 a11 b11, 12 a12 b12, 13 a13 b13
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_product(sum: __m512, left: __m512, right: __m512) -> __m512 {
    _mm512_fmadd_ps(left, right, sum)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn broadcast_pair(word: f32) -> __m512bh {
    pairs(_mm512_set1_epi32(word.to_bits().cast_signed()))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(values: &[f32; 16]) -> __m512 {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has the sixteen values that are loaded.
    unsafe {
        _mm512_loadu_ps(values.as_ptr())
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_pairs(words: &[f32; 16]) -> __m512bh {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has the sixteen words that are loaded.
    pairs(unsafe { _mm512_loadu_si512(words.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pairs(words: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "there is no other way from one name of the same bits to the other")]
    // SAFETY: both types are 512 bits, and any bits are values of both.
    unsafe {
        std::mem::transmute(words)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(place: &mut [f32; 16], values: __m512) {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has room for the sixteen values that are stored.
    unsafe {
        _mm512_storeu_ps(place.as_mut_ptr(), values);
    }
}

/// Makes one row of each two: a word is the `bf16` of the first row in its lower half, of the second in its upper.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
fn join_wide(panel: &mut [f32], width: usize) {
    let rows = panel.len() / width;
    for row in 0..rows / 2 {
        // The first row is written over itself; all others go to places that were read before.
        for lane in 0..width {
            let first = round(panel[2 * row * width + lane]) >> 16;
            let second = round(panel[(2 * row + 1) * width + lane]) & 0xffff_0000;
            panel[row * width + lane] = f32::from_bits(first | second);
        }
    }
}

/// The bits of the nearest `bf16` (ties to even) in the upper half; a number that is none stays none.
#[inline]
fn round(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    if value.is_nan() { bits | 0x0040_0000 } else { rounded }
}
