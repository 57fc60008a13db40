//! Blocks by AVX-512 and its conversions to `bf16`.

#![expect(
    clippy::inline_always,
    reason = "what loads values must become part of a function for their instructions"
)]

use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm256_maskz_loadu_epi16, _mm512_castsi512_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_cvtph_ps, _mm512_loadu_ps,
    _mm512_mask_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_permutexvar_epi16,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_slli_epi32,
    _mm512_storeu_ps, _mm512_unpackhi_ps, _mm512_unpacklo_ps,
};
use std::ops::Range;

use half::{bf16, f16};

use super::{Block, DEPTHS, LANES, Piece, Planes, WORDS};
use crate::element::Element;

/// Whether the processor has what functions here need that round nothing.
pub(super) fn exists() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512vl")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512bw")
}

/// Whether it has what the others need.
pub(super) fn rounds() -> bool {
    exists() && std::arch::is_x86_feature_detected!("avx512bf16")
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
    let mut rows = Rows::new(planes, &depth);
    let mut words = blocks.as_flattened_mut().iter_mut();
    for word in words.by_ref().take(depth.len() / 2) {
        let (first, second) = (rows.next(), rows.next());
        store(word, pairs(first, second));
    }
    for word in words.by_ref().take(depth.len() % 2) {
        store(word, pairs(rows.next(), _mm512_setzero_ps()));
    }
    words.for_each(|word| *word = [0.0; LANES]);
}

/// The same, as it is, to rows of a panel that are `width` from each other.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
pub(super) fn copy_planes(planes: &Planes, depth: Range<usize>, width: usize, panel: &mut [f32]) {
    let mut rows = Rows::new(planes, &depth);
    for row in panel.chunks_mut(width).take(depth.len()) {
        store_some(row, rows.next());
    }
}

/// The values that lanes see at one depth after the other.
struct Rows<'a> {
    planes: &'a Planes<'a>,
    /// Where the plane begins.
    plane: usize,
    /// The first piece of the place.
    piece: usize,
    /// How often there may be a next one.
    left: usize,
}

impl<'a> Rows<'a> {
    fn new(planes: &'a Planes, depth: &Range<usize>) -> Self {
        let places = planes.pieces.len() / planes.pieces_of_place;
        let first = depth.start / places * planes.size;
        let last = depth.end.saturating_sub(1) / places * planes.size;
        for piece in planes.pieces {
            let end = planes.values.len();
            assert!(piece.lies_within(first, last, end), "all pieces are there");
        }
        Self {
            planes,
            plane: first,
            piece: depth.start % places * planes.pieces_of_place,
            left: depth.len(),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn next(&mut self) -> __m512 {
        let planes = self.planes;
        self.left = self.left.checked_sub(1).expect("no more than there are");
        let mut lanes = _mm512_setzero_ps();
        for piece in &planes.pieces[self.piece..][..planes.pieces_of_place] {
            let start = planes.values.as_ptr().wrapping_add(self.plane);
            let start = start.wrapping_offset(piece.start);
            #[expect(unsafe_code, reason = "the instruction takes a pointer")]
            // SAFETY: the lanes of the mask are part of the slice in the first plane, in the last and so in all between; no others are
            // read, and there are no more planes than that.
            unsafe {
                lanes = _mm512_mask_loadu_ps(lanes, piece.lanes, start);
            }
        }
        self.piece += planes.pieces_of_place;
        if self.piece == planes.pieces.len() {
            (self.plane, self.piece) = (self.plane + planes.size, 0);
        }
        lanes
    }
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
    let mut rows = [_mm512_setzero_ps(); WORDS];
    for (row, words) in rows.iter_mut().zip(&*block) {
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: the array has the sixteen words that are loaded.
        unsafe {
            *row = _mm512_loadu_ps(words.as_ptr());
        }
    }
    for (words, column) in block.iter_mut().zip(turned(&rows)) {
        #[expect(unsafe_code, reason = "the instruction takes a pointer")]
        // SAFETY: the array has room for the sixteen words that are stored.
        unsafe {
            _mm512_storeu_ps(words.as_mut_ptr(), column);
        }
    }
}

/// The columns of rows.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(rows: &[__m512; LANES]) -> [__m512; LANES] {
    const LOW: i32 = 0x44;
    const HIGH: i32 = 0xee;
    const EVEN: i32 = 0x88;
    const ODD: i32 = 0xdd;
    // Within each quarter of four rows: the words that belong together, as four by four.
    let fours = |first: usize| {
        let [a, b] = [rows[first], rows[first + 1]];
        let [c, d] = [rows[first + 2], rows[first + 3]];
        let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        [
            _mm512_shuffle_ps::<LOW>(ab, cd),
            _mm512_shuffle_ps::<HIGH>(ab, cd),
            _mm512_shuffle_ps::<LOW>(ab_high, cd_high),
            _mm512_shuffle_ps::<HIGH>(ab_high, cd_high),
        ]
    };
    let [one, two, three, four] = [fours(0), fours(4), fours(8), fours(12)];
    // Then the quarters themselves.
    let mut columns = [_mm512_setzero_ps(); LANES];
    for index in 0..4 {
        let low_even = _mm512_shuffle_f32x4::<EVEN>(one[index], two[index]);
        let low_odd = _mm512_shuffle_f32x4::<ODD>(one[index], two[index]);
        let high_even = _mm512_shuffle_f32x4::<EVEN>(three[index], four[index]);
        let high_odd = _mm512_shuffle_f32x4::<ODD>(three[index], four[index]);
        columns[index] = _mm512_shuffle_f32x4::<EVEN>(low_even, high_even);
        columns[4 + index] = _mm512_shuffle_f32x4::<EVEN>(low_odd, high_odd);
        columns[8 + index] = _mm512_shuffle_f32x4::<ODD>(low_even, high_even);
        columns[12 + index] = _mm512_shuffle_f32x4::<ODD>(low_odd, high_odd);
    }
    columns
}

/// Lanes of consecutive values to rows of lanes, as they are: lane `i` at depth `k` to `panel[k · width + i]`, zeros into other lanes.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw")]
pub(super) fn turn_lanes<T: Element>(
    values: &[T],
    stride: usize,
    [lanes, depth]: [usize; 2],
    width: usize,
    panel: &mut [f32],
) {
    let panel = &mut panel[..width * depth];
    for first in (0..width).step_by(LANES) {
        let lanes = LANES.min(lanes.saturating_sub(first));
        for start in (0..depth).step_by(LANES) {
            let count = LANES.min(depth - start);
            let mut rows = [_mm512_setzero_ps(); LANES];
            for (lane, row) in rows.iter_mut().enumerate().take(lanes) {
                let values = &values[(first + lane) * stride + start..][..count];
                #[expect(unsafe_code, reason = "the instruction takes a pointer")]
                // SAFETY: the mask has a bit for each value of the slice.
                unsafe {
                    *row = T::load(values.as_ptr(), mask_of(count));
                }
            }
            for (index, column) in turned(&rows).into_iter().enumerate().take(count) {
                store_some(&mut panel[(start + index) * width..][first..width], column);
            }
        }
    }
}

/// As many values as there are places, up to sixteen.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_some(places: &mut [f32], values: __m512) {
    #[expect(unsafe_code, reason = "the instruction takes a pointer")]
    // SAFETY: only places of the slice are written, as the mask has a bit for each of them.
    unsafe {
        _mm512_mask_storeu_ps(places.as_mut_ptr(), mask_of(places.len()), values);
    }
}
