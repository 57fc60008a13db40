//! The nearest colour of a palette.

use rayon::prelude::*;

/// Bits of a channel that decide which colour is nearest; PIL remembers the answers by them.
const BITS: u32 = 6;
const CELLS: usize = 1 << (3 * BITS);
const UNKNOWN: u16 = u16::MAX;

/// A palette of up to 256 colours.
#[derive(Debug, Clone)]
pub struct Palette {
    colours: Vec<[u8; 3]>,
    nearest: Vec<u16>,
}

fn cell(colour: [u8; 3]) -> usize {
    colour.iter().fold(0, |cell, channel| {
        cell << BITS | usize::from(channel >> (8 - BITS))
    })
}

fn corner(cell: usize) -> [i32; 3] {
    let mask = (1 << BITS) - 1;
    [2, 1, 0].map(|channel| (((cell >> (channel * BITS)) & mask) << (8 - BITS)) as i32)
}

impl Palette {
    /// A palette of at least one colour.
    pub fn new(colours: Vec<[u8; 3]>) -> Self {
        Self {
            colours,
            nearest: vec![UNKNOWN; CELLS],
        }
    }

    /// Its colours.
    pub fn colours(&self) -> &[[u8; 3]] {
        &self.colours
    }

    /// The first of the colours nearest to the darkest corner of a cell.
    fn search(&self, cell: usize) -> u16 {
        let corner = corner(cell);
        let distance = |colour: &[u8; 3]| -> i32 {
            let differences = colour.iter().zip(corner);
            differences
                .map(|(&value, corner)| (i32::from(value) - corner).pow(2))
                .sum()
        };
        let mut best = (i32::MAX, 0);
        for (index, colour) in self.colours.iter().enumerate() {
            let distance = distance(colour);
            if distance < best.0 {
                best = (distance, index);
            }
        }
        best.1 as u16
    }

    /// The colour that stands for another one.
    pub fn nearest(&mut self, colour: [u8; 3]) -> [u8; 3] {
        let cell = cell(colour);
        if self.nearest[cell] == UNKNOWN {
            self.nearest[cell] = self.search(cell);
        }
        self.colours[usize::from(self.nearest[cell])]
    }

    /// Replaces each pixel by the nearest colour.
    pub fn map(&mut self, pixels: &mut [u8]) {
        let mut used = vec![false; CELLS];
        for pixel in pixels.chunks_exact(3) {
            used[cell([pixel[0], pixel[1], pixel[2]])] = true;
        }
        let found: Vec<(usize, u16)> = used
            .par_iter()
            .enumerate()
            .filter(|&(cell, &used)| used && self.nearest[cell] == UNKNOWN)
            .map(|(cell, _)| (cell, self.search(cell)))
            .collect();
        for (cell, index) in found {
            self.nearest[cell] = index;
        }
        pixels.par_chunks_mut(3 << 12).for_each(|pixels| {
            for pixel in pixels.chunks_exact_mut(3) {
                let index = self.nearest[cell([pixel[0], pixel[1], pixel[2]])];
                pixel.copy_from_slice(&self.colours[usize::from(index)]);
            }
        });
    }
}
