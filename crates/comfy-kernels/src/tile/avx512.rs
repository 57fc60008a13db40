//! AVX-512: thirty-two registers of sixteen values; and its products of pairs of `bf16`.

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

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
    let (right, _) = right.as_chunks::<LANES>();
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    // SAFETY: only `single` gives this function away, where the processor was asked for the instructions.
    unsafe {
        multiply(left, right, result, row_stride, add);
    }
}

fn run_brain(left: &[f32], right: &[f32], result: &mut [f32], row_stride: usize, add: bool) {
    let (left, _) = left.as_chunks::<ROWS>();
    let (right, _) = right.as_chunks::<LANES>();
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
    right: &[[f32; LANES]],
    result: &mut [f32],
    row_stride: usize,
    add: bool,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (left, right) in left.iter().zip(right) {
        let (right, _) = right.as_chunks::<16>();
        let right = [load(&right[0]), load(&right[1])];
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = _mm512_set1_ps(*left);
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = _mm512_fmadd_ps(left, right, *sum);
            }
        }
    }
    store(&sums, result, row_stride, add);
}

#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply_brain(
    left: &[[f32; ROWS]],
    right: &[[f32; LANES]],
    result: &mut [f32],
    row_stride: usize,
    add: bool,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for (left, right) in left.iter().zip(right) {
        let (right, _) = right.as_chunks::<16>();
        let right = [load_pairs(&right[0]), load_pairs(&right[1])];
        for (sums, left) in sums.iter_mut().zip(left) {
            let left = pairs(_mm512_set1_epi32(left.to_bits().cast_signed()));
            for (sum, right) in sums.iter_mut().zip(right) {
                *sum = _mm512_dpbf16_ps(*sum, left, right);
            }
        }
    }
    store(&sums, result, row_stride, add);
}

#[target_feature(enable = "avx512f")]
fn load(values: &[f32; 16]) -> __m512 {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has the sixteen values that are loaded.
    unsafe {
        _mm512_loadu_ps(values.as_ptr())
    }
}

#[target_feature(enable = "avx512f")]
fn load_pairs(values: &[f32; 16]) -> __m512bh {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has the sixteen words that are loaded.
    pairs(unsafe { std::arch::x86_64::_mm512_loadu_si512(values.as_ptr().cast()) })
}

#[target_feature(enable = "avx512f")]
fn pairs(words: __m512i) -> __m512bh {
    #[expect(unsafe_code, reason = "there is no other way from one name of the same bits to the other")]
    // SAFETY: both types are 512 bits, and any bits are values of both.
    unsafe {
        std::mem::transmute(words)
    }
}

#[target_feature(enable = "avx512f")]
fn store(sums: &[[__m512; 2]; ROWS], result: &mut [f32], row_stride: usize, add: bool) {
    for (row, sums) in sums.iter().enumerate() {
        let (result, _) = result[row * row_stride..][..LANES].as_chunks_mut::<16>();
        for (result, sum) in result.iter_mut().zip(sums) {
            let sum = if add { _mm512_add_ps(load(result), *sum) } else { *sum };
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the array has room for the sixteen values that are stored.
            unsafe {
                _mm512_storeu_ps(result.as_mut_ptr(), sum);
            }
        }
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
