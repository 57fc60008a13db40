//! The palette: boxes of colours are cut in two where half of their pixels lie on either side, the box with most pixels first.

use std::ops::Range;

use rayon::prelude::*;

/// Different colours that are told apart; with more, low bits are dropped until there are no more than that.
const MAX_COLOURS: usize = 1 << 16;

/// What a channel's range weighs when the axis to cut is chosen.
const WEIGHTS: [i32; 3] = [77, 150, 29];

/// A colour, its low bits dropped, with the pixels that have it and the sums of their full values.
#[derive(Debug, Clone, Copy)]
struct Colour {
    value: [u8; 3],
    pixels: u64,
    sums: [u64; 3],
}

/// Counts colours; those with most common first bits lie together.
fn count(bytes: &[u8]) -> Vec<Colour> {
    let mut keys: Vec<u32> = bytes
        .par_chunks_exact(3)
        .map(|pixel| u32::from_be_bytes([0, pixel[0], pixel[1], pixel[2]]))
        .collect();
    keys.par_sort_unstable();
    let mut colours: Vec<Colour> = keys
        .chunk_by(|a, b| a == b)
        .map(|same| {
            let [_, value @ ..] = same[0].to_be_bytes();
            let pixels = same.len() as u64;
            Colour {
                value,
                pixels,
                sums: value.map(|channel| u64::from(channel) * pixels),
            }
        })
        .collect();
    while colours.len() > MAX_COLOURS {
        for colour in &mut colours {
            colour.value = colour.value.map(|channel| channel >> 1);
        }
        colours.par_sort_unstable_by_key(|colour| colour.value);
        colours.dedup_by(|next, kept| {
            let same = next.value == kept.value;
            if same {
                kept.pixels += next.pixels;
                for (sum, more) in kept.sums.iter_mut().zip(next.sums) {
                    *sum += more;
                }
            }
            same
        });
    }
    colours
}

/// A part of the list of colours.
#[derive(Debug, Clone)]
struct ColourBox {
    part: Range<usize>,
    pixels: u64,
}

impl ColourBox {
    /// Smallest and largest value on each axis.
    fn bounds(&self, colours: &[Colour]) -> [(u8, u8); 3] {
        let mut bounds = [(u8::MAX, 0); 3];
        for colour in &colours[self.part.clone()] {
            for (bounds, value) in bounds.iter_mut().zip(colour.value) {
                *bounds = (bounds.0.min(value), bounds.1.max(value));
            }
        }
        bounds
    }

    /// Cuts in two: the upper half, which gets the value at which half of the pixels are reached, and the lower one. Neither is
    /// empty when the box has more than one colour.
    fn cut(self, colours: &mut [Colour], bounds: [(u8, u8); 3]) -> (Self, Self) {
        let weighted = |axis: usize| i32::from(bounds[axis].1 - bounds[axis].0) * WEIGHTS[axis];
        // The first of those that weigh most.
        let axis = (1..3).fold(0, |best, axis| {
            if weighted(axis) > weighted(best) {
                axis
            } else {
                best
            }
        });
        let part = &mut colours[self.part.clone()];
        let mut pixels_at = [0_u64; 256];
        for colour in &*part {
            pixels_at[usize::from(colour.value[axis])] += colour.pixels;
        }
        let (lowest, highest) = bounds[axis];
        let mut upper = 0;
        let mut limit = highest;
        for value in (lowest..=highest).rev() {
            upper += pixels_at[usize::from(value)];
            limit = value;
            if upper * 2 > self.pixels {
                break;
            }
        }
        if limit == lowest {
            upper -= pixels_at[usize::from(lowest)];
            limit = lowest + 1;
        }
        part.sort_unstable_by_key(|colour| colour.value[axis] < limit);
        let middle = part.partition_point(|colour| colour.value[axis] >= limit);
        let middle = self.part.start + middle;
        let upper_half = Self {
            part: self.part.start..middle,
            pixels: upper,
        };
        let lower_half = Self {
            part: middle..self.part.end,
            pixels: self.pixels - upper,
        };
        (upper_half, lower_half)
    }
}

/// A tree of boxes; leaves become colours of the palette, from left to right.
struct Node {
    content: ColourBox,
    halves: Option<(usize, usize)>,
}

/// Boxes by their number of pixels, the largest first. Which of two equal ones comes first decides the palette, so this is the heap
/// that PIL has.
#[derive(Default)]
struct Heap(Vec<(u64, usize)>);

impl Heap {
    fn push(&mut self, item: (u64, usize)) {
        let mut place = self.0.len();
        self.0.push(item);
        while place > 0 {
            let parent = (place - 1) / 2;
            if item.0 <= self.0[parent].0 {
                break;
            }
            self.0[place] = self.0[parent];
            place = parent;
        }
        self.0[place] = item;
    }

    fn pop(&mut self) -> Option<usize> {
        let last = self.0.pop()?;
        let Some(&top) = self.0.first() else {
            return Some(last.1);
        };
        let mut place = 0;
        loop {
            let mut child = 2 * place + 1;
            if child >= self.0.len() {
                break;
            }
            if child + 1 < self.0.len() && self.0[child].0 < self.0[child + 1].0 {
                child += 1;
            }
            if last.0 > self.0[child].0 {
                break;
            }
            self.0[place] = self.0[child];
            place = child;
        }
        self.0[place] = last;
        Some(top.1)
    }
}

/// At most `wanted` colours (at least 1) that stand for the pixels of a picture `[pixel, 3]`, averaged over their pixels.
pub fn median_cut(bytes: &[u8], wanted: usize) -> Vec<[u8; 3]> {
    let mut colours = count(bytes);
    if colours.is_empty() {
        return Vec::new();
    }
    let all = ColourBox {
        part: 0..colours.len(),
        pixels: colours.iter().map(|colour| colour.pixels).sum(),
    };
    let mut heap = Heap::default();
    heap.push((all.pixels, 0));
    let mut nodes = vec![Node {
        content: all,
        halves: None,
    }];
    let mut count = 1;
    while count < wanted {
        let Some(index) = heap.pop() else {
            break;
        };
        let content = nodes[index].content.clone();
        let bounds = content.bounds(&colours);
        if bounds.iter().all(|(lowest, highest)| lowest == highest) {
            continue;
        }
        let (upper, lower) = content.cut(&mut colours, bounds);
        let first = nodes.len();
        for half in [upper, lower] {
            heap.push((half.pixels, nodes.len()));
            nodes.push(Node {
                content: half,
                halves: None,
            });
        }
        nodes[index].halves = Some((first, first + 1));
        count += 1;
    }

    let mut palette = Vec::with_capacity(count);
    let mut open = vec![0];
    while let Some(index) = open.pop() {
        match nodes[index].halves {
            Some((left, right)) => open.extend([right, left]),
            None => palette.push(average(&colours[nodes[index].content.part.clone()])),
        }
    }
    palette
}

fn average(colours: &[Colour]) -> [u8; 3] {
    let pixels: u64 = colours.iter().map(|colour| colour.pixels).sum();
    [0, 1, 2].map(|channel| {
        let sum: u64 = colours.iter().map(|colour| colour.sums[channel]).sum();
        (0.5 + sum as f64 / pixels as f64) as u8
    })
}
