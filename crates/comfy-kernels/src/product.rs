//! Products of any size.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::operand::Operand;
use crate::tile::block::{self, Order};
use crate::tile::{Layout, Tile, blocks_of};

/// Words of depth that are multiplied at a time, at least: a panel of the left side stays in the nearest cache.
const DEPTH: usize = 256;

/// The same at most, where there are few lanes and packing takes most of the time: what is read lies together in memory.
const LARGEST_DEPTH: usize = 2048;

/// Lanes of the right side that are packed at a time.
const LANES: usize = 1024;

/// Words of the right side that are packed at a time: a mebibyte, which stays in the second or third cache.
const WORDS: usize = DEPTH * LANES;

/// Products of fewer multiplications than this are not worth dividing among threads.
const DIVIDE_FROM: usize = 1 << 20;

/// Where a product goes: rows of consecutive values.
#[derive(Debug)]
pub struct Output<'a> {
    /// The values of all rows, and what lies between them.
    pub values: &'a mut [f32],
    /// How far the rows begin from each other, at least as much as there are columns.
    pub row_stride: usize,
    /// Whether the product is added to what is there.
    pub accumulate: bool,
}

/// `output = left · right`, or `output += …`, on all threads of rayon's pool if it is large enough to divide.
///
/// # Panics
///
/// If the depths of both sides differ, or the output has no room for the result.
pub fn product(tile: &Tile, output: Output, left: &dyn Operand, right: &dyn Operand) {
    let (rows, columns, depth) = (left.lanes(), right.lanes(), left.depth());
    assert_eq!(depth, right.depth(), "both sides of a product are as deep");
    let Output {
        values,
        row_stride,
        accumulate,
    } = output;
    assert!(row_stride >= columns, "rows of the result do not overlap");
    if rows == 0 || columns == 0 {
        return;
    }
    let values = &mut values[..(rows - 1) * row_stride + columns];
    if depth == 0 {
        if !accumulate {
            values
                .chunks_mut(row_stride)
                .for_each(|row| row[..columns].fill(0.0));
        }
        return;
    }
    let divide = rows * columns * depth >= DIVIDE_FROM;
    let words = (WORDS / columns.min(LANES)).clamp(DEPTH, LARGEST_DEPTH);
    let depth_of_part = words * tile.depths_of_word();
    let panel = tile.panel(tile.lanes, depth_of_part.min(depth));
    let mut packed = Buffer::new(columns.min(LANES).div_ceil(tile.lanes) * panel);
    for first in (0..columns).step_by(LANES) {
        let lanes = first..columns.min(first + LANES);
        let packed = &mut packed[..lanes.len().div_ceil(tile.lanes) * panel];
        for start in (0..depth).step_by(depth_of_part) {
            let part = Part {
                tile,
                depth: start..depth.min(start + depth_of_part),
                lanes: lanes.clone(),
                row_stride,
                panel,
                add: accumulate || start > 0,
            };
            part.pack_right(right, packed, divide);
            part.multiply(left, packed, &mut values[first..], divide);
        }
    }
}

/// One block of lanes of the right side at some depths.
struct Part<'a> {
    tile: &'a Tile,
    depth: Range<usize>,
    lanes: Range<usize>,
    row_stride: usize,
    /// Values of a panel of the right side.
    panel: usize,
    add: bool,
}

impl Part<'_> {
    fn pack_right(&self, right: &dyn Operand, packed: &mut [f32], divide: bool) {
        let width = self.tile.lanes;
        let pack = |(index, panel): (usize, &mut [f32])| {
            let first = self.lanes.start + index * width;
            let lanes = first..self.lanes.end.min(first + width);
            let depth = self.depth.clone();
            pack(self.tile, right, lanes, depth, Side::Right, panel);
        };
        if divide {
            packed
                .par_chunks_exact_mut(self.panel)
                .enumerate()
                .for_each(pack);
        } else {
            packed
                .chunks_exact_mut(self.panel)
                .enumerate()
                .for_each(pack);
        }
    }

    fn multiply(&self, left: &dyn Operand, packed: &[f32], values: &mut [f32], divide: bool) {
        let rows = self.tile.rows;
        let buffers = || {
            let panel = Buffer::new(self.tile.panel(rows, self.depth.len()));
            (panel, Buffer::new(rows * self.tile.lanes))
        };
        let run = |(panel, edge): &mut (Buffer, Buffer), (index, values): (usize, &mut [f32])| {
            let first = index * rows;
            let lanes = first..left.lanes().min(first + rows);
            pack(
                self.tile,
                left,
                lanes.clone(),
                self.depth.clone(),
                Side::Left,
                panel,
            );
            let words = self.tile.words(rows, self.depth.len());
            self.row_of_tiles(&panel[..words], packed, values, lanes.len(), edge);
        };
        let tiles = rows * self.row_stride;
        if divide {
            values
                .par_chunks_mut(tiles)
                .enumerate()
                .for_each_init(buffers, run);
        } else {
            let mut buffers = buffers();
            values
                .chunks_mut(tiles)
                .enumerate()
                .for_each(|chunk| run(&mut buffers, chunk));
        }
    }

    /// A panel of the left side with all of the right side; `edge` holds a tile that is not wholly part of the result.
    fn row_of_tiles(
        &self,
        left: &[f32],
        packed: &[f32],
        values: &mut [f32],
        rows: usize,
        edge: &mut [f32],
    ) {
        let width = self.tile.lanes;
        let words = self.tile.words(width, self.depth.len());
        let tile = self.tile.ready();
        for (index, right) in packed.chunks_exact(self.panel).enumerate() {
            let right = &right[..words];
            let first = index * width;
            let columns = width.min(self.lanes.len() - first);
            if rows == self.tile.rows && columns == width {
                tile.run(left, right, &mut values[first..], self.row_stride, self.add);
                continue;
            }
            tile.run(left, right, edge, width, false);
            for (row, edge) in edge.chunks_exact(width).take(rows).enumerate() {
                let values = &mut values[row * self.row_stride + first..][..columns];
                if self.add {
                    for (value, edge) in values.iter_mut().zip(edge) {
                        *value += edge;
                    }
                } else {
                    values.copy_from_slice(&edge[..columns]);
                }
            }
        }
    }
}

/// The sides of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Packs a panel of some lanes, at most as many as the tile has on that side.
pub(crate) fn pack(
    tile: &Tile,
    operand: &dyn Operand,
    lanes: Range<usize>,
    depth: Range<usize>,
    side: Side,
    panel: &mut [f32],
) {
    let width = match side {
        Side::Left => tile.rows,
        Side::Right => tile.lanes,
    };
    let panel = &mut panel[..tile.panel(width, depth.len())];
    match tile.layout {
        Layout::Values => operand.pack(lanes, depth, width, panel),
        Layout::Words(join) => {
            let (values, rest) = panel.split_at_mut(width * depth.len());
            operand.pack(lanes, depth, width, values);
            rest.fill(0.0);
            join(panel, width);
        }
        Layout::Blocks => {
            let wanted = match side {
                Side::Left => Order::ByLane,
                Side::Right => Order::ByWord,
            };
            let starts = (lanes.start..).step_by(block::LANES);
            let columns = blocks_of(panel).chunks_exact_mut(depth.len().div_ceil(block::DEPTHS));
            for (blocks, start) in columns.zip(starts) {
                let lanes = start..lanes.end.min(start + block::LANES);
                if lanes.is_empty() {
                    blocks.as_flattened_mut().as_flattened_mut().fill(0.0);
                } else if operand.pack_blocks(lanes, depth.clone(), blocks) != wanted {
                    blocks.iter_mut().for_each(block::turn);
                }
            }
        }
    }
}
