//! AVX-512: thirty-two registers of sixteen values; and its products of pairs of `bf16`.

use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_cvtepu16_epi32,
    _mm512_cvtneps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_mask_storeu_epi32, _mm512_maskz_loadu_ps, _mm512_or_si512, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_slli_epi32, _mm512_storeu_ps,
};

use super::unrolled::unrolled;
use super::{Layout, Tile, nothing};

// Twenty-eight registers of sums, two of the right side, one of the left.
const ROWS: usize = 14;
const LANES: usize = 32;

pub(super) fn single() -> Option<Tile> {
    std::arch::is_x86_feature_detected!("avx512f").then_some(Tile {
        rows: ROWS,
        lanes: LANES,
        layout: Layout::Values,
        name: "AVX-512",
        run,
        prepare: nothing,
        release: nothing,
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
        layout: Layout::Words(join),
        name: "AVX512-BF16",
        run: run_brain,
        prepare: nothing,
        release: nothing,
    })
}

/// [`brain`], if it is faster than [`single`]: on Intel's Sapphire Rapids it is slower (`examples/rate.rs`).
pub(super) fn faster_brain() -> Option<Tile> {
    let vendor = std::arch::x86_64::__cpuid(0);
    let is_intel = [vendor.ebx, vendor.edx, vendor.ecx]
        .map(u32::to_le_bytes)
        .concat()
        == b"GenuineIntel";
    brain().filter(|_| !is_intel)
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
    #[expect(
        unsafe_code,
        reason = "there is no other way from one name of the same bits to the other"
    )]
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
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
fn join_wide(panel: &mut [f32], width: usize) {
    for row in 0..panel.len() / width / 2 {
        // A row is written where no later one is read: the first over itself.
        for lane in (0..width).step_by(16) {
            let count = (width - lane).min(16);
            let first = load_some(&panel[2 * row * width + lane..][..count]);
            let second = load_some(&panel[(2 * row + 1) * width + lane..][..count]);
            let second = _mm512_slli_epi32::<16>(rounded(second));
            let words = _mm512_or_si512(rounded(first), second);
            store_some(&mut panel[row * width + lane..][..count], words);
        }
    }
}

/// The nearest `bf16` of each value, in the lower half of its place.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bf16")]
fn rounded(values: __m512) -> __m512i {
    let halves = _mm512_cvtneps_pbh(values);
    #[expect(
        unsafe_code,
        reason = "there is no other way from one name of the same bits to the other"
    )]
    // SAFETY: both types are 256 bits, and any bits are values of both.
    _mm512_cvtepu16_epi32(unsafe { std::mem::transmute::<__m256bh, __m256i>(halves) })
}

/// As many values as there are, up to sixteen; zeros after them.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_some(values: &[f32]) -> __m512 {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: only values of the slice are read, as the mask has a bit for each.
    unsafe {
        _mm512_maskz_loadu_ps(mask_of(values.len()), values.as_ptr())
    }
}

/// As many words as there are places, up to sixteen.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_some(places: &mut [f32], words: __m512i) {
    let mask = mask_of(places.len());
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: only places of the slice are written, as the mask has a bit for each.
    unsafe {
        _mm512_mask_storeu_epi32(places.as_mut_ptr().cast(), mask, words);
    }
}

/// The lowest bits, as many as there are values but no more than sixteen.
#[inline]
fn mask_of(count: usize) -> u16 {
    u16::MAX >> (16 - count.clamp(1, 16))
}
