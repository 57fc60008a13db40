//! Which tiles are computed together.

use std::ops::Range;

use super::{PLACES, TILE};
use crate::patches::Images;

/// What a transformed block of the images takes, at most if its rows are not longer: it stays in the caches.
const VALUES: usize = 1 << 20;

/// Tiles of a block, at least where there are as many: so often a transformed kernel is used when it is read.
const LEAST: usize = 128;

/// All blocks.
pub(super) struct Blocks {
    /// Rows of tiles of a block, except for the last of an image.
    pub(super) rows: usize,
    /// Image by image, from above.
    pub(super) list: Vec<Block>,
}

/// Rows of tiles in one image, or all rows of some.
pub(super) struct Block {
    pub(super) images: Range<usize>,
    /// Rows of tiles.
    pub(super) rows: Range<usize>,
}

/// Neighbouring tiles in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// The lane of the first.
    pub(super) lane: usize,
    pub(super) count: usize,
    pub(super) image: usize,
    /// Where the first is, in tiles.
    pub(super) row: usize,
    pub(super) column: usize,
}

/// Divides images such that a block of all channels stays in the caches.
pub(super) fn divide(images: &Images) -> Blocks {
    let rows = images.height.div_ceil(TILE);
    let columns = images.width.div_ceil(TILE);
    let tiles = (VALUES / (PLACES * images.channels)).max(LEAST);
    if rows * columns > tiles {
        let blocks = rows.div_ceil((tiles / columns).max(1));
        let rows_of_block = rows.div_ceil(blocks);
        let list = (0..images.count).flat_map(|image| {
            let starts = (0..rows).step_by(rows_of_block);
            starts.map(move |start| Block {
                images: image..image + 1,
                rows: start..rows.min(start + rows_of_block),
            })
        });
        return Blocks {
            rows: rows_of_block,
            list: list.collect(),
        };
    }
    let images_of_block = (tiles / (rows * columns)).max(1);
    let starts = (0..images.count).step_by(images_of_block);
    let list = starts.map(|start| Block {
        images: start..images.count.min(start + images_of_block),
        rows: 0..rows,
    });
    Blocks {
        rows,
        list: list.collect(),
    }
}

impl Block {
    /// The tiles in panels of `lanes`, each as parts of rows.
    pub(super) fn runs(&self, images: &Images, lanes: usize) -> Vec<Vec<Run>> {
        let columns = images.width.div_ceil(TILE);
        let tiles = self.images.len() * self.rows.len() * columns;
        let panels = (0..tiles).step_by(lanes).map(|start| {
            let mut runs = Vec::new();
            let end = tiles.min(start + lanes);
            let mut tile = start;
            while tile < end {
                let (row, column) = (tile / columns, tile % columns);
                let count = (columns - column).min(end - tile);
                runs.push(Run {
                    lane: tile - start,
                    count,
                    image: self.images.start + row / self.rows.len(),
                    row: self.rows.start + row % self.rows.len(),
                    column,
                });
                tile += count;
            }
            runs
        });
        panels.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_tiles_once() {
        for (count, channels, height, width) in [
            (1, 512, 70, 33),
            (2, 320, 32, 32),
            (5, 16, 9, 3),
            (1, 1, 1, 1),
            (3, 1280, 8, 8),
            (1, 128, 300, 1024),
        ] {
            let images = Images {
                values: &[],
                count,
                channels,
                height,
                width,
            };
            let (rows, columns) = (height.div_ceil(TILE), width.div_ceil(TILE));
            let mut seen = vec![0; count * rows * columns];
            for block in divide(&images).list {
                for panel in block.runs(&images, 32) {
                    let mut lane = 0;
                    for run in panel {
                        assert_eq!(run.lane, lane);
                        lane += run.count;
                        let first = (run.image * rows + run.row) * columns + run.column;
                        assert!(run.column + run.count <= columns);
                        for seen in &mut seen[first..first + run.count] {
                            *seen += 1;
                        }
                    }
                    assert!(lane <= 32);
                }
            }
            assert!(seen.iter().all(|seen| *seen == 1));
        }
    }
}
