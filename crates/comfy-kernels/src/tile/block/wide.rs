//! Blocks by AVX-512 and its conversions to `bf16`.

#![expect(
    clippy::inline_always,
    reason = "what loads values must become part of a function for their instructions"
)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm256_maskz_loadu_epi16, _mm512_castsi512_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_cvtph_ps, _mm512_loadu_ps,
    _mm512_mask_loadu_ps, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16, _mm512_setzero_ps,
    _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_slli_epi32, _mm512_storeu_ps,
    _mm512_unpackhi_ps, _mm512_unpacklo_ps,
};
use std::ops::Range;

use half::{bf16, f16};

use super::{Block, DEPTHS, LANES, Piece, Planes, WORDS};
use crate::element::Element;

pub(super) fn exists() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512bf16")
}

/// What elements can be converted from; sealed.
pub trait Wide: Copy {
    /// Reads the values of the mask's bits, and zeros elsewhere.
    ///
    /// # Safety
    ///
    /// The processor has the instructions that [`exists`] asks for, and the values of all bits can be read.
    #[doc(hidden)]
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    unsafe fn load(from: *const Self, mask: u16) -> __m512;
}

impl Wide for f32 {
    #[inline(always)]
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    unsafe fn load(from: *const Self, mask: u16) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_maskz_loadu_ps(mask, from) }
    }
}

impl Wide for f16 {
    #[inline(always)]
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    unsafe fn load(from: *const Self, mask: u16) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe { _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from.cast())) }
    }
}

impl Wide for bf16 {
    #[inline(always)]
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    unsafe fn load(from: *const Self, mask: u16) -> __m512 {
        // SAFETY: as the trait demands.
        unsafe {
            let wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide))
        }
    }
}

/// The lowest bits, as many as there are values.
#[inline]
fn mask_of(count: usize) -> u16 {
    ((1_u32 << count.min(LANES)) - 1) as u16
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) fn read_lanes<T: Element>(
    values: &[T],
    stride: usize,
    [lanes, depth]: [usize; 2],
    blocks: &mut [Block],
) {
    for lane in 0..LANES {
        if lane >= lanes {
            for block in &mut *blocks {
                block[lane] = [0.0; WORDS];
            }
            continue;
        }
        let values = &values[lane * stride..][..depth];
        let (whole, rest) = values.as_chunks::<DEPTHS>();
        let mut places = blocks.iter_mut().map(|block| &mut block[lane]);
        for (values, place) in whole.iter().zip(&mut places) {
            store(place, round_all(values));
        }
        for place in places.take(1) {
            store(place, round_some(rest));
        }
    }
}

/// Neighbouring values, rounded: each two are a word.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
fn round_all<T: Element>(values: &[T; DEPTHS]) -> __m512bh {
    #[expect(unsafe_code, reason = "the instructions take pointers")]
    // SAFETY: the array has 32 values.
    unsafe {
        let first = T::load(values.as_ptr(), u16::MAX);
        let second = T::load(values.as_ptr().add(LANES), u16::MAX);
        _mm512_cvtne2ps_pbh(second, first)
    }
}

/// The same of fewer values, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
fn round_some<T: Element>(values: &[T]) -> __m512bh {
    let count = values.len().min(DEPTHS);
    #[expect(unsafe_code, reason = "the instructions take pointers")]
    // SAFETY: the masks have a bit for each value of the slice, and where the second pointer is beyond its end, it is not used.
    unsafe {
        let first = T::load(values.as_ptr(), mask_of(count));
        let second = values.as_ptr().wrapping_add(LANES);
        let second = T::load(second, mask_of(count.saturating_sub(LANES)));
        _mm512_cvtne2ps_pbh(second, first)
    }
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) fn read_depths<T: Element>(
    values: &[T],
    stride: usize,
    [lanes, depth]: [usize; 2],
    blocks: &mut [Block],
) {
    let row = |at: usize| {
        if at >= depth {
            return _mm512_setzero_ps();
        }
        let lanes = &values[at * stride..][..lanes];
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: the mask has a bit for each value of the slice, or the first sixteen.
        unsafe {
            T::load(lanes.as_ptr(), mask_of(lanes.len()))
        }
    };
    for (index, places) in blocks.as_flattened_mut().iter_mut().enumerate() {
        store(places, pairs(row(2 * index), row(2 * index + 1)));
    }
}

#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")]
pub(super) fn read_planes(planes: &Planes, depth: Range<usize>, blocks: &mut [Block]) {
    let places = planes.pieces.len() / planes.pieces_of_place;
    if depth.is_empty() {
        blocks.fill([[0.0; LANES]; WORDS]);
        return;
    }
    let last = (depth.end - 1) / places * planes.size;
    let mut plane = depth.start / places * planes.size;
    for piece in planes.pieces {
        let end = planes.values.len();
        assert!(piece.lies_within(plane, last, end), "all pieces are there");
    }
    let mut place = depth.start % places * planes.pieces_of_place;
    let mut next = || {
        let mut lanes = _mm512_setzero_ps();
        for piece in &planes.pieces[place..][..planes.pieces_of_place] {
            let start = planes.values.as_ptr().wrapping_add(plane);
            let start = start.wrapping_offset(piece.start);
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the lanes of the mask are part of the slice in the first plane, in the last and so in all between; no others are
            // read.
            unsafe {
                lanes = _mm512_mask_loadu_ps(lanes, piece.lanes, start);
            }
        }
        place += planes.pieces_of_place;
        if place == planes.pieces.len() {
            (plane, place) = (plane + planes.size, 0);
        }
        lanes
    };
    let mut words = blocks.as_flattened_mut().iter_mut();
    for word in words.by_ref().take(depth.len() / 2) {
        let (first, second) = (next(), next());
        store(word, pairs(first, second));
    }
    for word in words.by_ref().take(depth.len() % 2) {
        store(word, pairs(next(), _mm512_setzero_ps()));
    }
    words.for_each(|word| *word = [0.0; LANES]);
}

impl Piece {
    /// Whether all lanes are part of what begins at 0 and ends at `end`, for planes that begin from `first` to `last`.
    fn lies_within(self, first: usize, last: usize, end: usize) -> bool {
        let before = first as isize + self.start + self.lanes.trailing_zeros() as isize;
        let after = last as isize + self.start + (u16::BITS - self.lanes.leading_zeros()) as isize;
        self.lanes == 0 || before >= 0 && after <= end as isize
    }
}

/// Words of what each lane has at two depths, rounded.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pairs(first: __m512, second: __m512) -> __m512bh {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut lane = 0;
        while lane < 16 {
            order[2 * lane] = lane as u16;
            order[2 * lane + 1] = 16 + lane as u16;
            lane += 1;
        }
        order
    };
    let rounded = _mm512_cvtne2ps_pbh(second, first);
    #[expect(
        unsafe_code,
        reason = "there is no other way from one name of the same bits to the other"
    )]
    // SAFETY: all types are 512 bits, and any bits are values of each.
    unsafe {
        let order = std::mem::transmute::<[u16; 32], __m512i>(ORDER);
        let rounded = std::mem::transmute::<__m512bh, __m512i>(rounded);
        std::mem::transmute::<__m512i, __m512bh>(_mm512_permutexvar_epi16(order, rounded))
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(place: &mut [f32; WORDS], words: __m512bh) {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: the array has room for 512 bits, and any bits are values of it.
    unsafe {
        _mm512_storeu_ps(
            place.as_mut_ptr(),
            std::mem::transmute::<__m512bh, __m512>(words),
        );
    }
}

#[target_feature(enable = "avx512f")]
pub(super) fn turn(block: &mut Block) {
    const LOW: i32 = 0x44;
    const HIGH: i32 = 0xee;
    const EVEN: i32 = 0x88;
    const ODD: i32 = 0xdd;
    let row = |index: usize| {
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: the array has the sixteen words that are loaded.
        unsafe {
            _mm512_loadu_ps(block[index].as_ptr())
        }
    };
    // Within each quarter of four rows: the words that belong together, as four by four.
    let fours = |first: usize| {
        let (a, b, c, d) = (row(first), row(first + 1), row(first + 2), row(first + 3));
        let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        [
            _mm512_shuffle_ps::<LOW>(ab, cd),
            _mm512_shuffle_ps::<HIGH>(ab, cd),
            _mm512_shuffle_ps::<LOW>(ab_high, cd_high),
            _mm512_shuffle_ps::<HIGH>(ab_high, cd_high),
        ]
    };
    let parts = [fours(0), fours(4), fours(8), fours(12)];
    let [one, two, three, four] = &parts;
    // Then the quarters themselves.
    for index in 0..4 {
        let low_even = _mm512_shuffle_f32x4::<EVEN>(one[index], two[index]);
        let low_odd = _mm512_shuffle_f32x4::<ODD>(one[index], two[index]);
        let high_even = _mm512_shuffle_f32x4::<EVEN>(three[index], four[index]);
        let high_odd = _mm512_shuffle_f32x4::<ODD>(three[index], four[index]);
        let turned = [
            _mm512_shuffle_f32x4::<EVEN>(low_even, high_even),
            _mm512_shuffle_f32x4::<EVEN>(low_odd, high_odd),
            _mm512_shuffle_f32x4::<ODD>(low_even, high_even),
            _mm512_shuffle_f32x4::<ODD>(low_odd, high_odd),
        ];
        for (quarter, words) in turned.into_iter().enumerate() {
            let place = &mut block[4 * quarter + index];
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the array has room for the sixteen words that are stored.
            unsafe {
                _mm512_storeu_ps(place.as_mut_ptr(), words);
            }
        }
    }
}
