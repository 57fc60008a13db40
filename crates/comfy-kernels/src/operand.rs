//! The two sides of a product.

use std::ops::Range;

use crate::element::Element;

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

/// Values that are turned over at a time: small enough that their place in the panel stays in the nearest cache.
const TURN: usize = 32;

impl<T: Element> Operand for Matrix<'_, T> {
    fn lanes(&self) -> usize {
        self.lanes
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, panel: &mut [f32]) {
        let count = lanes.len();
        if self.lane_stride == 1 {
            for (row, depth) in panel.chunks_exact_mut(width).zip(depth) {
                let start = depth * self.depth_stride + lanes.start;
                T::widen(&self.values[start..][..count], &mut row[..count]);
                row[count..].fill(0.0);
            }
            return;
        }
        let mut turned = [0.0; TURN];
        for (part, panel) in panel.chunks_mut(TURN * width).enumerate() {
            let first = depth.start + part * TURN;
            let turned = &mut turned[..panel.len() / width];
            for lane in 0..count {
                let start = (lanes.start + lane) * self.lane_stride + first * self.depth_stride;
                let values = &self.values[start..];
                if self.depth_stride == 1 {
                    T::widen(&values[..turned.len()], turned);
                } else {
                    let values = values.chunks(self.depth_stride);
                    for (to, from) in turned.iter_mut().zip(values) {
                        T::widen(&from[..1], std::slice::from_mut(to));
                    }
                }
                for (row, value) in panel.chunks_exact_mut(width).zip(&*turned) {
                    row[lane] = *value;
                }
            }
            if count < width {
                for row in panel.chunks_exact_mut(width) {
                    row[count..].fill(0.0);
                }
            }
        }
    }
}
