//! Convolutions of 3×3, with a quarter of the multiplications.
//!
//! Minimal filtering of tiles of 4×4 pixels (Winograd 1980, "Arithmetic Complexity of Computations"; Lavin and Gray 2015, "Fast
//! Algorithms for Convolutional Neural Networks"): kernels of 3×3 and pieces of the image of 6×6 are transformed, multiplied value by
//! value (which over all channels is a matrix product for each of the 36 places), and the products transformed back. The points of
//! interpolation are 0, ±3/4, ±3/2 and infinity: as symmetric as the usual 0, ±1, ±2, and of half their error.

mod blocks;
mod transform;

use rayon::prelude::*;

use self::blocks::Block;
use crate::operand::Operand;
use crate::patches::Images;
use crate::product::{Side, pack};
use crate::result::{Bias, Output, Place, written};
use crate::tile::{Layout, Tile};

/// Places of a transformed tile.
const PLACES: usize = 36;

/// Pixels of a tile in each direction.
const TILE: usize = 4;

/// Pixels in each direction that a tile is computed from.
const PIECE: usize = 6;

/// Of fewer channels it takes longer to transform images than to multiply them.
const CHANNELS: usize = 16;

/// Panels of output channels that one task computes: so often a part of the transformed image is used while it is near.
const PANELS: usize = 4;

/// Whether this is faster than a plain product on `tile`: not for images of so few tiles that most lanes of a panel are empty, and not
/// where a product takes less time than the transforms.
pub fn filtering_pays(tile: &Tile, images: &Images) -> bool {
    let tiles = images.count * images.height.div_ceil(TILE) * images.width.div_ceil(TILE);
    let least = match tile.layout {
        Layout::Values => tile.lanes / 2 + 1,
        // Rounded products take about half of the time.
        Layout::Words(_) => tile.lanes,
        Layout::Blocks => return false,
    };
    tiles >= least && images.channels >= CHANNELS
}

/// Convolves images with kernels of 3×3 at stride 1, with one pixel of zeros around the image: the product of `weight` with the patches
/// of the images, in a group for each image.
///
/// `weight` has a lane for each output channel and a depth of `channels · 9`. Factors are not rounded: `tile` is one that does not.
///
/// # Panics
///
/// If a slice, the depth or the residual has another size, there are no channels, other groups or a bias of columns, or the tile rounds.
pub fn convolve_3x3(
    tile: &Tile,
    output: Output,
    weight: &dyn Operand,
    images: &Images,
) -> Vec<f32> {
    let Images {
        values,
        count,
        channels,
        height,
        width,
    } = *images;
    let outputs = weight.lanes();
    assert!(!tile.rounds(), "transformed images are not to be rounded");
    assert_eq!(weight.depth(), channels * 9, "kernels are 3×3");
    assert_eq!(values.len(), count * channels * height * width);
    let Output {
        groups,
        bias,
        residual,
    } = output;
    assert_eq!(groups, count, "there is a group for each image");
    assert!(channels > 0 && !matches!(bias, Bias::OfColumns(_)));
    let kernels = Kernels {
        tile,
        weight,
        channels,
    };
    let size = count * outputs * height * width;
    if let Some(mut values) = residual {
        assert_eq!(values.len(), size, "a residual is as large as the result");
        convolve(images, &kernels, bias, &mut values);
        return values;
    }
    #[expect(
        unsafe_code,
        reason = "results are not cleared before they are written"
    )]
    // SAFETY: each pixel is part of a run of its block, and each run is put.
    unsafe {
        written(size, |places| convolve(images, &kernels, bias, places))
    }
}

fn convolve<T: Place>(images: &Images, kernels: &Kernels, bias: Bias, places: &mut [T]) {
    if places.is_empty() {
        return;
    }
    let Images { height, width, .. } = *images;
    let Kernels { tile, weight, .. } = *kernels;
    let outputs = weight.lanes();
    let bias_of = |image: usize, channel: usize| match bias {
        Bias::OfRows(bias) => bias[image * outputs + channel],
        Bias::None | Bias::OfColumns(_) => 0.0,
    };
    let blocks = blocks::divide(images);
    let mut planes: Vec<_> = places
        .chunks_mut(height * width)
        .map(|plane| plane.chunks_mut(blocks.rows * TILE * width))
        .collect();
    let blocks: Vec<_> = blocks
        .list
        .into_iter()
        .map(|block| {
            let mut parts = Vec::with_capacity(outputs * block.images.len());
            for channel in 0..outputs {
                for image in block.images.clone() {
                    let part = planes[image * outputs + channel].next();
                    let places = part.expect("blocks cover each plane once, in order");
                    let bias = bias_of(image, channel);
                    parts.push(Part { places, bias });
                }
            }
            (block, parts)
        })
        .collect();
    // Transformed once where they are used more than once.
    let ready = (blocks.len() > 1).then(|| {
        let mut all = vec![0.0; outputs.div_ceil(tile.rows) * kernels.panel()];
        all.par_chunks_exact_mut(kernels.panel())
            .enumerate()
            .for_each_init(
                || kernels.scratch(),
                |scratch, (index, panel)| kernels.transform(index, scratch, panel),
            );
        all
    });
    blocks.into_par_iter().for_each(|(block, parts)| {
        convolve_block(images, kernels, ready.as_deref(), &block, parts);
    });
}

/// Rows of pixels of one output channel.
struct Part<'a, T> {
    places: &'a mut [T],
    bias: f32,
}

/// `parts` are the rows of the block in each output channel of each of its images, images of a channel together.
fn convolve_block<T: Place>(
    images: &Images,
    kernels: &Kernels,
    ready: Option<&[f32]>,
    block: &Block,
    mut parts: Vec<Part<T>>,
) {
    let Kernels { tile, channels, .. } = *kernels;
    let (rows, lanes) = (tile.rows, tile.lanes);
    let runs = block.runs(images, lanes);
    let panels = runs.len();
    // For each panel of tiles and each place a panel of all channels.
    let mut pieces = vec![0.0; panels * PLACES * channels * lanes];
    let by_panel = pieces.par_chunks_exact_mut(PLACES * channels * lanes);
    by_panel.zip(&runs).for_each(|(pieces, runs)| {
        let mut scratch = transform::Piece::new(lanes);
        for channel in 0..channels {
            scratch.gather(images, channel, runs);
            scratch.transform(&mut pieces[channel * lanes..], channels * lanes);
        }
    });
    let outputs = kernels.weight.lanes();
    let all_panels = outputs.div_ceil(rows);
    let tasks = (all_panels as f64 / (rayon::current_num_threads() * PANELS) as f64).round();
    let tasks = (tasks as usize).max(1) * rayon::current_num_threads();
    let panels_of_task = all_panels.div_ceil(tasks);
    let images_of_block = block.images.len();
    parts
        .par_chunks_mut(panels_of_task * rows * images_of_block)
        .enumerate()
        .for_each(|(task, parts)| {
            let first = task * panels_of_task;
            let count = (parts.len() / images_of_block).div_ceil(rows);
            let mut own = Vec::new();
            let transformed = if let Some(ready) = ready {
                &ready[first * kernels.panel()..][..count * kernels.panel()]
            } else {
                own.resize(count * kernels.panel(), 0.0);
                let mut scratch = kernels.scratch();
                for (index, panel) in own.chunks_exact_mut(kernels.panel()).enumerate() {
                    kernels.transform(first + index, &mut scratch, panel);
                }
                &own[..]
            };
            let tiles = panels * lanes;
            let mut products = vec![0.0; PLACES * count * rows * tiles];
            let tile = tile.ready();
            for (place, products) in products.chunks_exact_mut(count * rows * tiles).enumerate() {
                for (panel, products) in products.chunks_exact_mut(rows * tiles).enumerate() {
                    let left = (panel * PLACES + place) * channels * rows;
                    let left = &transformed[left..][..channels * rows];
                    for panel in 0..panels {
                        let right = (panel * PLACES + place) * channels * lanes;
                        let right = &pieces[right..][..channels * lanes];
                        tile.run(left, right, &mut products[panel * lanes..], tiles, false);
                    }
                }
            }
            let mut result = transform::Finished::new(lanes);
            for (channel, parts) in parts.chunks_exact_mut(images_of_block).enumerate() {
                for (panel, runs) in runs.iter().enumerate() {
                    let start = channel * tiles + panel * lanes;
                    result.transform(&products[start..], count * rows * tiles);
                    for run in runs {
                        let image = run.image - block.images.start;
                        result.put(run, block.rows.start, images.width, &mut parts[image]);
                    }
                }
            }
        });
}

/// The weights of a convolution, to be transformed.
struct Kernels<'a> {
    tile: &'a Tile,
    weight: &'a dyn Operand,
    channels: usize,
}

impl Kernels<'_> {
    /// Values of a panel of transformed kernels: `[places, channels, rows of a tile]`.
    fn panel(&self) -> usize {
        PLACES * self.channels * self.tile.rows
    }

    fn scratch(&self) -> Vec<f32> {
        vec![0.0; 9 * self.channels * self.tile.rows]
    }

    fn transform(&self, index: usize, scratch: &mut [f32], panel: &mut [f32]) {
        let rows = self.tile.rows;
        let first = index * rows;
        let lanes = first..self.weight.lanes().min(first + rows);
        let depth = 0..self.channels * 9;
        pack(self.tile, self.weight, lanes, depth, Side::Left, scratch);
        transform::kernels(scratch, panel, rows, self.channels);
    }
}
