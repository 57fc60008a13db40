//! Running an autoencoder over a large picture in overlapping tiles.

use burn::tensor::{Tensor, TensorData};

use crate::device::failed;
use crate::error::{Error, Result};

/// How sizes change on the way through a network.
#[derive(Debug, Clone, Copy)]
pub(super) enum Resizing {
    /// Every cell becomes so many pixels in each direction.
    Up(usize),
    /// So many pixels in each direction become a cell.
    Down(usize),
}

/// Height and width of the tiles, and how far they reach into each other, in the units of what goes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    pub(super) tile: [usize; 2],
    pub(super) overlap: usize,
}

impl Resizing {
    fn apply(self, size: usize) -> usize {
        match self {
            Self::Up(factor) => size * factor,
            Self::Down(factor) => (size as f64 / factor as f64).round_ties_even() as usize,
        }
    }
}

impl Tiling {
    /// Tiles of other proportions and the same area: half as high and twice as wide, or the reverse.
    pub(super) fn flat(self) -> Self {
        let [height, width] = self.tile;
        Self {
            tile: [height / 2, width * 2],
            ..self
        }
    }

    /// See [`Tiling::flat`].
    pub(super) fn tall(self) -> Self {
        let [height, width] = self.tile;
        Self {
            tile: [height * 2, width / 2],
            ..self
        }
    }

    /// Tiles of half the size, and as much overlap in proportion.
    pub(super) fn halved(self) -> Self {
        Self {
            tile: self.tile.map(|side| side / 2),
            overlap: self.overlap / 2,
        }
    }

    /// Whether an item of this height and width is larger than a square tile.
    pub(super) fn divides(self, size: [usize; 2]) -> bool {
        size[0] > self.tile[0] || size[1] > self.tile[1]
    }

    /// Where tiles begin in a direction of `size`.
    fn starts(self, size: usize, direction: usize) -> Result<Vec<usize>> {
        let (tile, overlap) = (self.tile[direction], self.overlap);
        if size <= tile {
            return Ok(vec![0]);
        }
        if tile <= overlap {
            return Err(Error::input(format!(
                "tiles of {tile} cannot overlap by {overlap}: make the tiles larger or the overlap smaller"
            )));
        }
        let starts = (0..size.saturating_sub(overlap)).step_by(tile - overlap);
        Ok(starts.collect())
    }

    /// How many tiles an item of this height and width has.
    pub(super) fn count(self, [height, width]: [usize; 2]) -> Result<usize> {
        Ok(self.starts(height, 0)?.len() * self.starts(width, 1)?.len())
    }

    /// What `network` makes of one item `[1, channels, height, width]`, tile by tile. Where tiles overlap each counts less towards its
    /// edge.
    pub(super) fn run(
        self,
        item: &Tensor<4>,
        resizing: Resizing,
        network: &mut dyn FnMut(Tensor<4>) -> Result<Tensor<4>>,
    ) -> Result<Tensor<4>> {
        let [_, _, height, width] = item.dims();
        if !self.divides([height, width]) {
            return network(item.clone());
        }
        let mut sum = Sum::new([height, width].map(|size| resizing.apply(size)));
        let feather = resizing.apply(self.overlap);
        for top in self.starts(height, 0)? {
            for left in self.starts(width, 1)? {
                let rows = self.tile[0].min(height - top);
                let columns = self.tile[1].min(width - left);
                let tile = item.clone().narrow(2, top, rows).narrow(3, left, columns);
                let place = [top, left].map(|at| resizing.apply(at));
                sum.add(&network(tile)?, place, feather)?;
            }
        }
        Ok(sum.mean(item))
    }
}

/// A weighted sum of tiles, on the host.
struct Sum {
    size: [usize; 2],
    /// Set by the first tile.
    channels: usize,
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl Sum {
    fn new(size: [usize; 2]) -> Self {
        Self {
            size,
            channels: 0,
            values: Vec::new(),
            weights: vec![0.0; size[0] * size[1]],
        }
    }

    fn add(&mut self, tile: &Tensor<4>, [top, left]: [usize; 2], feather: usize) -> Result<()> {
        let [_, channels, rows, columns] = tile.dims();
        let [height, width] = self.size;
        if self.values.is_empty() {
            self.channels = channels;
            self.values = vec![0.0; channels * height * width];
        }
        if channels != self.channels || top + rows > height || left + columns > width {
            return Err(Error::input(format!(
                "a tile of {:?} does not fit at {top}, {left} of {height} by {width}",
                tile.dims()
            )));
        }
        let tile: Vec<f32> = tile
            .clone()
            .try_into_vec_as()
            .map_err(|error| failed("read a tile", &error.to_string()))?;
        let (vertical, horizontal) = (ramp(rows, feather), ramp(columns, feather));
        let weight = |row: usize, column: usize| vertical[row] * horizontal[column];
        for row in 0..rows {
            for column in 0..columns {
                let at = (top + row) * width + left + column;
                self.weights[at] += weight(row, column);
                for channel in 0..channels {
                    let value = tile[(channel * rows + row) * columns + column];
                    self.values[channel * height * width + at] += value * weight(row, column);
                }
            }
        }
        Ok(())
    }

    fn mean(mut self, like: &Tensor<4>) -> Tensor<4> {
        let [height, width] = self.size;
        for plane in self.values.chunks_exact_mut((height * width).max(1)) {
            for (value, weight) in plane.iter_mut().zip(&self.weights) {
                *value /= weight;
            }
        }
        let data = TensorData::new(self.values, [1, self.channels, height, width]);
        Tensor::from_data(data, &like.device())
    }
}

/// Weights that rise over `feather` places at both ends; none where the tile is no longer than that.
fn ramp(length: usize, feather: usize) -> Vec<f32> {
    let mut weights = vec![1.0; length];
    if feather >= length {
        return weights;
    }
    for step in 0..feather {
        let weight = (step + 1) as f32 / feather as f32;
        weights[step] *= weight;
        weights[length - 1 - step] *= weight;
    }
    weights
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn tiles_of_a_network_without_reach_do_not_show() {
        let values = (0..2 * 11 * 13).map(|n| (n as f32).sin()).collect();
        let data = TensorData::new(values, [1, 2, 11, 13]);
        let item = Tensor::<4>::from_data(data, &Device::flex());
        let tiling = Tiling {
            tile: [4, 6],
            overlap: 2,
        };
        let mut calls = 0;
        let got = tiling
            .run(&item, Resizing::Up(1), &mut |tile| {
                calls += 1;
                Ok(tile)
            })
            .unwrap();
        assert_eq!(calls, 5 * 3);
        let difference = (got - item).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-6, "{difference}");
    }

    #[test]
    fn ends_count_less() {
        assert_eq!(ramp(5, 2), [0.5, 1.0, 1.0, 1.0, 0.5]);
        assert_eq!(ramp(3, 2), [0.5, 1.0, 0.5]);
        assert_eq!(ramp(2, 2), [1.0, 1.0]);
    }

    #[test]
    fn tiles_within_their_overlap_are_refused() {
        let item = Tensor::<4>::zeros([1, 1, 9, 9], &Device::flex());
        let tiling = Tiling {
            tile: [4, 4],
            overlap: 4,
        };
        assert!(tiling.run(&item, Resizing::Up(1), &mut Ok).is_err());
    }
}
