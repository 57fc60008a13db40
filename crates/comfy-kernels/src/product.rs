//! Products of any size.

use std::ops::Range;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::operand::Operand;
use crate::result::{Addend, Bias, Output, Place, written};
use crate::tile::block::{self, Order};
use crate::tile::{Layout, Tile, blocks_of};

/// Words of depth that are multiplied at a time, at most: with [`LONG`] and [`SHORT`] lanes, what one thread works on takes a mebibyte,
/// which stays in its second cache.
const DEPTH: usize = 512;

/// Lanes of the longer side that one task takes, at most.
const LONG: usize = 256;

/// Lanes of the shorter side whose sums are held at a time, at most.
const SHORT: usize = 512;

/// Tasks for each thread, where there is enough to do: threads that are held up leave theirs to others.
const TASKS: usize = 2;

/// Products of fewer multiplications than this are not worth dividing among threads.
const DIVIDE_FROM: usize = 1 << 20;

/// `left · right`, and what the output says is added, as rows of the left side's lanes; on all threads of rayon's pool if it is large
/// enough to divide.
///
/// The side that has fewer lanes is packed as a whole; a task takes some lanes of the other, packs them a part of the depth at a time,
/// and multiplies them with all of the shorter side. So everything is packed once, and what a task packs only its own thread reads.
///
/// # Panics
///
/// If the depths of both sides differ, or a residual has another size.
pub fn product(tile: &Tile, output: Output, left: &dyn Operand, right: &dyn Operand) -> Vec<f32> {
    let count = left.lanes() * right.lanes();
    let sides = [left, right];
    let Output {
        groups,
        bias,
        residual,
    } = output;
    if let Some(mut values) = residual {
        assert_eq!(values.len(), count, "a residual is as large as the result");
        multiply(tile, sides, &mut values, groups, bias);
        return values;
    }
    #[expect(
        unsafe_code,
        reason = "results are not cleared before they are written"
    )]
    // SAFETY: each value is part of a segment, and each segment is put.
    unsafe {
        written(count, |places| multiply(tile, sides, places, groups, bias))
    }
}

fn multiply<T: Place>(
    tile: &Tile,
    [left, right]: [&dyn Operand; 2],
    places: &mut [T],
    groups: usize,
    bias: Bias,
) {
    let (rows, columns, depth) = (left.lanes(), right.lanes(), left.depth());
    assert_eq!(depth, right.depth(), "both sides of a product are as deep");
    if places.is_empty() {
        return;
    }
    let side = if rows > columns {
        Side::Left
    } else {
        Side::Right
    };
    let (long, short) = match side {
        Side::Left => (left, right),
        Side::Right => (right, left),
    };
    let part = depth.div_ceil(depth.div_ceil(DEPTH * tile.depths_of_word()).max(1));
    let plan = Plan {
        tile,
        side,
        long,
        short,
        part: part.next_multiple_of(tile.depths_of_step()).max(1),
    };
    let divide = rows * columns * depth >= DIVIDE_FROM;
    let threads = if divide {
        rayon::current_num_threads()
    } else {
        1
    };
    let panels = long.lanes().div_ceil(plan.width(side));
    let tasks = panels.div_ceil(LONG / plan.width(side));
    let tasks = if divide {
        tasks.max(TASKS * threads)
    } else {
        tasks
    };
    let tasks = tasks.next_multiple_of(threads).min(panels);
    let lanes_of_task = panels.div_ceil(tasks) * plan.width(side);
    let tasks = segments(places, [rows, columns], groups, bias, side, lanes_of_task);
    let short = plan.pack_short(divide);
    let run = |(index, segments): (usize, Vec<Segment<T>>)| {
        let start = index * lanes_of_task;
        let lanes = start..long.lanes().min(start + lanes_of_task);
        plan.multiply(&short, lanes, segments);
    };
    if divide {
        tasks.into_par_iter().enumerate().for_each(run);
    } else {
        tasks.into_iter().enumerate().for_each(run);
    }
}

/// The sides of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

/// Neighbouring values of the result.
struct Segment<'a, T> {
    /// Counted from the first of the task.
    row: usize,
    column: usize,
    places: &'a mut [T],
    addend: Addend<'a>,
}

/// What each task writes to, where a task takes some lanes of one side.
fn segments<'a, T: Place>(
    places: &'a mut [T],
    [rows, columns]: [usize; 2],
    groups: usize,
    bias: Bias<'a>,
    side: Side,
    lanes_of_task: usize,
) -> Vec<Vec<Segment<'a, T>>> {
    assert!(
        groups > 0 && columns.is_multiple_of(groups),
        "all groups of the result have as many columns"
    );
    let of_group = columns / groups;
    let long = match side {
        Side::Left => rows,
        Side::Right => columns,
    };
    let mut tasks: Vec<_> = (0..long.div_ceil(lanes_of_task))
        .map(|_| Vec::new())
        .collect();
    for (index, mut places) in places.chunks_exact_mut(of_group).enumerate() {
        let (group, row) = (index / rows, index % rows);
        let mut column = 0;
        while column < of_group {
            let first = group * of_group + column;
            let (task, row, first, count) = match side {
                Side::Left => (row / lanes_of_task, row % lanes_of_task, first, of_group),
                Side::Right => {
                    let within = first % lanes_of_task;
                    (first / lanes_of_task, row, within, lanes_of_task - within)
                }
            };
            let (some, rest) = places.split_at_mut(count.min(places.len()));
            places = rest;
            let addend = match bias {
                Bias::None => Addend::Same(0.0),
                Bias::OfRows(bias) => Addend::Same(bias[index]),
                Bias::OfColumns(bias) => Addend::Each(&bias[column..][..some.len()]),
            };
            column += some.len();
            tasks[task].push(Segment {
                row,
                column: first,
                places: some,
                addend,
            });
        }
    }
    tasks
}

struct Plan<'a> {
    tile: &'a Tile,
    /// Which side is the long one.
    side: Side,
    long: &'a dyn Operand,
    short: &'a dyn Operand,
    /// Depths that are multiplied at a time.
    part: usize,
}

impl Plan<'_> {
    /// Lanes of a panel.
    fn width(&self, side: Side) -> usize {
        match side {
            Side::Left => self.tile.rows,
            Side::Right => self.tile.lanes,
        }
    }

    /// Values of a panel of the longest part.
    fn panel(&self, side: Side) -> usize {
        let depth = self.part.min(self.long.depth());
        self.tile.panel(self.width(side), depth)
    }

    fn depth_of(&self, part: usize) -> Range<usize> {
        let start = part * self.part;
        start..self.long.depth().min(start + self.part)
    }

    /// Panels of all lanes of the short side, for one part of the depth after the other.
    fn pack_short(&self, divide: bool) -> Buffer {
        let side = self.side.other();
        let (width, panel) = (self.width(side), self.panel(side));
        let panels = self.short.lanes().div_ceil(width);
        let parts = self.short.depth().div_ceil(self.part);
        let mut packed = Buffer::new(parts * panels * panel);
        let pack = |(index, panel): (usize, &mut [f32])| {
            let first = index % panels * width;
            let lanes = first..self.short.lanes().min(first + width);
            let depth = self.depth_of(index / panels);
            pack(self.tile, self.short, lanes, depth, side, panel);
        };
        if packed.is_empty() {
            return packed;
        }
        if divide {
            packed
                .par_chunks_exact_mut(panel)
                .enumerate()
                .for_each(pack);
        } else {
            packed.chunks_exact_mut(panel).enumerate().for_each(pack);
        }
        packed
    }

    /// Some lanes of the long side with all of the short side.
    fn multiply<T: Place>(
        &self,
        short: &[f32],
        lanes: Range<usize>,
        mut segments: Vec<Segment<T>>,
    ) {
        let (side, other) = (self.side, self.side.other());
        let (long_width, short_width) = (self.width(side), self.width(other));
        let (long_panel, short_panel) = (self.panel(side), self.panel(other));
        let long_panels = lanes.len().div_ceil(long_width);
        let short_panels = self.short.lanes().div_ceil(short_width);
        let panels_at_once = (SHORT / short_width).clamp(1, short_panels);
        let parts = self.long.depth().div_ceil(self.part);
        let [rows, columns] = match side {
            Side::Left => [long_panels * long_width, panels_at_once * short_width],
            Side::Right => [panels_at_once * short_width, long_panels * long_width],
        };
        // Rows that are a power of two apart would compete for the same places of a cache.
        let stride = columns + block::LANES;
        let mut sums = Buffer::new(rows * stride);
        if parts == 0 {
            sums.fill(0.0);
        }
        let mut long = Buffer::new(long_panels * long_panel);
        let tile = self.tile.ready();
        for first in (0..short_panels).step_by(panels_at_once) {
            let some = first..short_panels.min(first + panels_at_once);
            for part in 0..parts {
                let depth = self.depth_of(part);
                // Where there is only one part it is still there.
                if parts > 1 || first == 0 {
                    for (index, panel) in long.chunks_exact_mut(long_panel).enumerate() {
                        let start = lanes.start + index * long_width;
                        let lanes = start..lanes.end.min(start + long_width);
                        pack(self.tile, self.long, lanes, depth.clone(), side, panel);
                    }
                }
                let long_words = self.tile.words(long_width, depth.len());
                let short_words = self.tile.words(short_width, depth.len());
                for index in some.clone() {
                    let short =
                        &short[(part * short_panels + index) * short_panel..][..short_words];
                    let short_lane = (index - first) * short_width;
                    for (index, long) in long.chunks_exact(long_panel).enumerate() {
                        let (long, long_lane) = (&long[..long_words], index * long_width);
                        let (left, right, row, column) = match side {
                            Side::Left => (long, short, long_lane, short_lane),
                            Side::Right => (short, long, short_lane, long_lane),
                        };
                        let sums = &mut sums[row * stride + column..];
                        tile.run(left, right, sums, stride, part > 0);
                    }
                }
            }
            let some = first * short_width..some.end * short_width;
            for segment in &mut segments {
                segment.put(&sums, stride, side, &some);
            }
        }
    }
}

impl<T: Place> Segment<'_, T> {
    /// Takes those of its values that lie in some lanes of the short side.
    fn put(&mut self, sums: &[f32], stride: usize, long_side: Side, some: &Range<usize>) {
        let count = self.places.len();
        let (within, row, column) = match long_side {
            Side::Left => {
                let start = some.start.saturating_sub(self.column).min(count);
                let end = some.end.saturating_sub(self.column).min(count);
                let column = (self.column + start).saturating_sub(some.start);
                (start..end, self.row, column)
            }
            Side::Right if some.contains(&self.row) => {
                (0..count, self.row - some.start, self.column)
            }
            Side::Right => return,
        };
        let addend = match self.addend {
            Addend::Same(number) => Addend::Same(number),
            Addend::Each(numbers) => Addend::Each(&numbers[within.clone()]),
        };
        let sums = &sums[row * stride + column..][..within.len()];
        T::put(&mut self.places[within], sums, addend);
    }
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
