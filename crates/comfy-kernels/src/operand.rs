//! The two sides of a product.

use std::ops::Range;

use crate::element::Element;
use crate::tile::block::{self, Block, Order};
use crate::tile::turn;

/// One side of a product, as something that can be copied into panels.
///
/// Lanes are the rows of the left and the columns of the right side; the depth is what is summed over.
pub trait Operand: Sync {
    /// How many rows (left) or columns (right) there are.
    fn lanes(&self) -> usize;

    /// How many products each value of the result is a sum of.
    fn depth(&self) -> usize;

    /// Writes the values of some lanes and depths: lane `i` at depth `k` of the ranges to `panel[k · width + i]`, and zeros into the
    /// lanes that are left of each `width`.
    ///
    /// `panel` has `width · depth.len()` values, and there are at most `width` lanes.
    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, panel: &mut [f32]);

    /// Writes the values of at most sixteen lanes and some depths as blocks of 32 depths each, rounded to `bf16`, and zeros into what is
    /// left of the last, in the order that is returned.
    fn pack_blocks(&self, lanes: Range<usize>, depth: Range<usize>, blocks: &mut [Block]) -> Order {
        pack_values(self, lanes, depth, blocks)
    }
}

/// Blocks of whatever can be packed.
pub(crate) fn pack_values<T: Operand + ?Sized>(
    operand: &T,
    lanes: Range<usize>,
    depth: Range<usize>,
    blocks: &mut [Block],
) -> Order {
    let mut values = [0.0; block::LANES * block::DEPTHS];
    for (block, first) in blocks.iter_mut().zip(depth.clone().step_by(block::DEPTHS)) {
        let depth = first..depth.end.min(first + block::DEPTHS);
        let sizes = [lanes.len(), depth.len()];
        let values = &mut values[..block::LANES * depth.len()];
        operand.pack(lanes.clone(), depth, block::LANES, values);
        block::read_depths(values, block::LANES, sizes, std::slice::from_mut(block));
    }
    Order::ByWord
}

/// A matrix that lies in a slice, in either order.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    lanes: usize,
    depth: usize,
    lane_stride: usize,
    depth_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Lanes `lane_stride` apart, and the values of each `depth_stride` apart.
    ///
    /// # Panics
    ///
    /// If some of it lies beyond the slice.
    pub fn new(
        values: &'a [T],
        [lanes, depth]: [usize; 2],
        [lane_stride, depth_stride]: [usize; 2],
    ) -> Self {
        let end = if lanes == 0 || depth == 0 {
            0
        } else {
            (lanes - 1) * lane_stride + (depth - 1) * depth_stride + 1
        };
        assert!(end <= values.len(), "a matrix lies within its slice");
        Self {
            values,
            lanes,
            depth,
            lane_stride,
            depth_stride,
        }
    }

    /// Lanes that follow each other, each of consecutive values.
    pub fn dense(values: &'a [T], lanes: usize, depth: usize) -> Self {
        Self::new(values, [lanes, depth], [depth, 1])
    }
}

impl<T: Element> Operand for Matrix<'_, T> {
    fn lanes(&self) -> usize {
        self.lanes
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, panel: &mut [f32]) {
        if self.lane_stride == 1 {
            let count = lanes.len();
            for (row, depth) in panel.chunks_exact_mut(width).zip(depth) {
                let start = depth * self.depth_stride + lanes.start;
                T::widen(&self.values[start..][..count], &mut row[..count]);
                row[count..].fill(0.0);
            }
            return;
        }
        if self.depth_stride == 1 {
            let start = lanes.start * self.lane_stride + depth.start;
            let values = self.values.get(start..).unwrap_or(&[]);
            let sizes = [lanes.len(), depth.len()];
            if block::turn_lanes(values, self.lane_stride, sizes, width, panel) {
                return;
            }
        }
        // Blocks of some lanes and depths, whose two dimensions are exchanged.
        let turn = turn::best();
        let mut before = [[0.0; turn::DEPTH]; turn::LANES];
        let mut after = [[0.0; turn::LANES]; turn::DEPTH];
        let parts = panel.chunks_mut(turn::DEPTH * width);
        for (panel, first) in parts.zip(depth.step_by(turn::DEPTH)) {
            let depths = first..first + panel.len() / width;
            // Where the last lanes fill no block, their block is written into the next row as well, which is then written over.
            for offset in (0..width).step_by(turn::LANES).rev() {
                for (index, before) in before.iter_mut().enumerate() {
                    let lane = lanes.start + offset + index;
                    if lane < lanes.end {
                        self.read(lane, depths.clone(), before);
                    } else {
                        before.fill(0.0);
                    }
                }
                turn(&before, &mut after);
                for (row, after) in after.iter().enumerate().take(depths.len()) {
                    let place = &mut panel[row * width + offset..];
                    match place.first_chunk_mut::<{ turn::LANES }>() {
                        Some(place) => *place = *after,
                        None => place.copy_from_slice(&after[..place.len()]),
                    }
                }
            }
        }
    }

    fn pack_blocks(&self, lanes: Range<usize>, depth: Range<usize>, blocks: &mut [Block]) -> Order {
        let start = lanes.start * self.lane_stride + depth.start * self.depth_stride;
        let values = self.values.get(start..).unwrap_or(&[]);
        let sizes = [lanes.len(), depth.len()];
        if self.depth_stride == 1 {
            block::read_lanes(values, self.lane_stride, sizes, blocks);
            return Order::ByLane;
        }
        if self.lane_stride == 1 {
            block::read_depths(values, self.depth_stride, sizes, blocks);
            return Order::ByWord;
        }
        let stored = |lane, depth| values[lane * self.lane_stride + depth * self.depth_stride];
        block::plain::fill(blocks, sizes, |lane, depth| stored(lane, depth).wide());
        Order::ByWord
    }
}

impl<T: Element> Matrix<'_, T> {
    /// What a lane has at some depths.
    fn read(&self, lane: usize, depths: Range<usize>, values: &mut [f32; turn::DEPTH]) {
        let start = lane * self.lane_stride + depths.start * self.depth_stride;
        let stored = &self.values[start..];
        if self.depth_stride == 1 {
            if let (Some(stored), turn::DEPTH) =
                (stored.first_chunk::<{ turn::DEPTH }>(), depths.len())
            {
                T::widen(stored, values);
            } else {
                T::widen(&stored[..depths.len()], &mut values[..depths.len()]);
            }
            return;
        }
        for (value, stored) in values
            .iter_mut()
            .zip(stored.chunks(self.depth_stride))
            .take(depths.len())
        {
            T::widen(&stored[..1], std::slice::from_mut(value));
        }
    }
}
