//! Blocks of sixteen lanes and thirty-two depths, rounded to `bf16`: what a matrix register holds.
//!
//! Two depths make a word. The left side of a product wants the words of a lane together, the right side a word of all lanes; whoever
//! makes a block does it in the order that comes naturally, and [`turn`] exchanges them.

#[cfg(target_arch = "x86_64")]
mod wide;

use std::ops::Range;

use crate::element::Element;

/// Lanes of a block.
pub(crate) const LANES: usize = 16;
/// Words of each lane.
pub(crate) const WORDS: usize = 16;
/// Depths of each lane.
pub(crate) const DEPTHS: usize = 2 * WORDS;

/// Words, as floats of the same bits.
pub type Block = [[f32; LANES]; WORDS];

/// What the rows of a [`Block`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All words of a lane.
    ByLane,
    /// A word of each lane.
    ByWord,
}

/// Lanes that are neighbours in a plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    /// Where the plane has the value of lane 0, if that were such a neighbour, too.
    pub(crate) start: isize,
    /// A bit for each lane.
    pub(crate) lanes: u16,
}

/// Planes of values, and which of them lanes see.
#[derive(Debug)]
pub(crate) struct Planes<'a> {
    /// All planes.
    pub(crate) values: &'a [f32],
    /// Values of a plane.
    pub(crate) size: usize,
    /// The pieces that make up the lanes, for each place of a plane; those of no piece are zero.
    pub(crate) pieces: &'a [Piece],
    pub(crate) pieces_of_place: usize,
}

#[cfg(target_arch = "x86_64")]
pub(crate) use wide::Wide;

/// What elements can be converted from; sealed.
#[cfg(not(target_arch = "x86_64"))]
pub trait Wide: Copy {}
#[cfg(not(target_arch = "x86_64"))]
impl<T: Copy> Wide for T {}

/// Whether the processor has instructions for making blocks.
pub(crate) fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return wide::rounds();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Blocks of lanes that lie `stride` apart, each of consecutive values; by lane.
pub(crate) fn read_lanes<T: Element>(
    values: &[T],
    stride: usize,
    [lanes, depth]: [usize; 2],
    blocks: &mut [Block],
) {
    #[cfg(target_arch = "x86_64")]
    if wide::rounds() {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide::read_lanes(values, stride, [lanes, depth], blocks);
        }
        return;
    }
    plain::read_lanes(values, stride, [lanes, depth], blocks);
}

/// Blocks of depths that lie `stride` apart, each of consecutive lanes; by word.
pub(crate) fn read_depths<T: Element>(
    values: &[T],
    stride: usize,
    [lanes, depth]: [usize; 2],
    blocks: &mut [Block],
) {
    #[cfg(target_arch = "x86_64")]
    if wide::rounds() {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide::read_depths(values, stride, [lanes, depth], blocks);
        }
        return;
    }
    plain::read_depths(values, stride, [lanes, depth], blocks);
}

/// Blocks of depths that are places in planes, all places of a plane before those of the next; by word.
pub(crate) fn read_planes(planes: &Planes, depth: Range<usize>, blocks: &mut [Block]) {
    #[cfg(target_arch = "x86_64")]
    if wide::rounds() {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide::read_planes(planes, depth, blocks);
        }
        return;
    }
    plain::read_planes(planes, depth, blocks);
}

/// Lanes that lie `stride` apart, each of consecutive values, to rows of `width` lanes as a panel has them; nothing is rounded.
///
/// False, and nothing is done, if the processor has no instructions for it.
pub(crate) fn turn_lanes<T: Element>(
    values: &[T],
    stride: usize,
    sizes: [usize; 2],
    width: usize,
    panel: &mut [f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if wide::exists() {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide::turn_lanes(values, stride, sizes, width, panel);
        }
        return true;
    }
    let _ = (values, stride, sizes, width, panel);
    false
}

/// Sixteen lanes of depths that are places in planes to rows that are `width` apart; nothing is rounded.
///
/// False, and nothing is done, if the processor has no instructions for it.
pub(crate) fn copy_planes(
    planes: &Planes,
    depth: Range<usize>,
    width: usize,
    panel: &mut [f32],
) -> bool {
    #[cfg(target_arch = "x86_64")]
    if wide::exists() {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide::copy_planes(planes, depth, width, panel);
        }
        return true;
    }
    let _ = (planes, depth, width, panel);
    false
}

/// Changes the order.
pub(crate) fn turn(block: &mut Block) {
    #[cfg(target_arch = "x86_64")]
    if wide::exists() {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: the processor was just asked for them.
        unsafe {
            wide::turn(block);
        }
        return;
    }
    plain::turn(block);
}

/// The same without particular instructions.
pub(crate) mod plain {
    use std::ops::Range;

    use half::bf16;

    use super::{Block, DEPTHS, LANES, Planes};
    use crate::element::Element;

    fn word(first: f32, second: f32) -> f32 {
        let bits = |value| u32::from(bf16::from_f32(value).to_bits());
        f32::from_bits(bits(first) | bits(second) << 16)
    }

    /// Makes words by the value of each lane at each depth.
    pub(crate) fn fill(
        blocks: &mut [Block],
        [lanes, depth]: [usize; 2],
        value: impl Fn(usize, usize) -> f32,
    ) {
        let value = |lane: usize, at: usize| {
            if lane < lanes && at < depth {
                value(lane, at)
            } else {
                0.0
            }
        };
        for (index, block) in blocks.iter_mut().enumerate() {
            for (row, words) in block.iter_mut().enumerate() {
                let at = index * DEPTHS + 2 * row;
                for (lane, place) in words.iter_mut().enumerate() {
                    *place = word(value(lane, at), value(lane, at + 1));
                }
            }
        }
    }

    pub(super) fn read_lanes<T: Element>(
        values: &[T],
        stride: usize,
        sizes: [usize; 2],
        blocks: &mut [Block],
    ) {
        fill(blocks, sizes, |lane, depth| {
            values[lane * stride + depth].wide()
        });
        blocks.iter_mut().for_each(turn);
    }

    pub(super) fn read_depths<T: Element>(
        values: &[T],
        stride: usize,
        sizes: [usize; 2],
        blocks: &mut [Block],
    ) {
        fill(blocks, sizes, |lane, depth| {
            values[depth * stride + lane].wide()
        });
    }

    pub(super) fn read_planes(planes: &Planes, depth: Range<usize>, blocks: &mut [Block]) {
        let places = planes.pieces.len() / planes.pieces_of_place;
        fill(blocks, [LANES, depth.len()], |lane, at| {
            let (plane, place) = ((depth.start + at) / places, (depth.start + at) % places);
            let pieces = &planes.pieces[place * planes.pieces_of_place..];
            let mut pieces = pieces.iter().take(planes.pieces_of_place);
            let piece = pieces.find(|piece| piece.lanes >> lane & 1 == 1);
            piece.map_or(0.0, |piece| {
                let start = (plane * planes.size + lane) as isize + piece.start;
                planes.values[start as usize]
            })
        });
    }

    pub(super) fn turn(block: &mut Block) {
        let before = *block;
        for (index, row) in block.iter_mut().enumerate() {
            *row = before.map(|row| row[index]);
        }
    }
}

#[cfg(test)]
mod tests {
    use half::{bf16, f16};

    use super::*;

    fn check(made: &[Block], wanted: &[Block]) {
        let bits = |blocks: &[Block]| -> Vec<u32> {
            let words = blocks.as_flattened().as_flattened().iter();
            words.map(|word| word.to_bits()).collect()
        };
        assert_eq!(bits(made), bits(wanted));
    }

    /// Both ways of making blocks, compared.
    fn compare(count: usize, fast: impl Fn(&mut [Block]), slow: impl Fn(&mut [Block])) {
        let mut made = [
            vec![[[7.0; LANES]; WORDS]; count],
            vec![[[5.0; LANES]; WORDS]; count],
        ];
        let [first, second] = &mut made;
        fast(first);
        slow(second);
        check(first, second);
    }

    fn numbers(count: usize) -> Vec<f32> {
        let mut state = 1_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(next).collect()
    }

    #[test]
    fn blocks_are_the_same_however_they_are_made() {
        let values = numbers(16 * 131);
        let halves: Vec<f16> = values.iter().map(|value| f16::from_f32(*value)).collect();
        let brains: Vec<bf16> = values.iter().map(|value| bf16::from_f32(*value)).collect();
        for sizes @ [lanes, depth] in [
            [16, 64_usize],
            [16, 131],
            [1, 1],
            [7, 33],
            [15, 100],
            [3, 17],
        ] {
            let count = depth.div_ceil(DEPTHS);
            macro_rules! each {
                ($($values:ident),*) => {$(
                    compare(
                        count,
                        |blocks| read_lanes(&$values, depth, sizes, blocks),
                        |blocks| plain::read_lanes(&$values, depth, sizes, blocks),
                    );
                    compare(
                        count,
                        |blocks| read_depths(&$values, lanes, sizes, blocks),
                        |blocks| plain::read_depths(&$values, lanes, sizes, blocks),
                    );
                )*};
            }
            each!(values, halves, brains);
        }
    }

    #[test]
    fn planes_are_the_same_however_they_are_read() {
        let values = numbers(5 * 40);
        let piece = |start, lanes| Piece { start, lanes };
        for (pieces, pieces_of_place) in [
            (vec![piece(3, 0xffff)], 1),
            (vec![piece(-1, 0xfffe), piece(0, 0), piece(24, 0x7fff)], 1),
            (
                vec![
                    piece(-1, 0xfffe),
                    piece(0, 0x0001),
                    piece(0, 0x00ff),
                    piece(20, 0xff00),
                    piece(24, 0x0001),
                    piece(-15, 0x8000),
                ],
                2,
            ),
        ] {
            let planes = Planes {
                values: &values,
                size: 40,
                pieces: &pieces,
                pieces_of_place,
            };
            let places = pieces.len() / pieces_of_place;
            for depth in [0..places, 0..5 * places, 1..4 * places + 1, 2..2] {
                compare(
                    depth.len().div_ceil(DEPTHS) + 1,
                    |blocks| read_planes(&planes, depth.clone(), blocks),
                    |blocks| plain::read_planes(&planes, depth.clone(), blocks),
                );
            }
        }
    }

    #[test]
    fn a_turn_exchanges_rows_and_columns() {
        let mut block = [[0.0; LANES]; WORDS];
        for (row, words) in block.iter_mut().enumerate() {
            for (column, word) in words.iter_mut().enumerate() {
                *word = (row * 100 + column) as f32;
            }
        }
        let mut slow = block;
        turn(&mut block);
        plain::turn(&mut slow);
        check(&[block], &[slow]);
        assert!((block[3][7] - 703.0).abs() < 0.5);
    }
}
