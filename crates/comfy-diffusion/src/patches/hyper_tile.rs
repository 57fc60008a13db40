//! Self-attention within tiles.
//!
//! Source: T. Fernandes, "`HyperTile`: tiled-optimizations for Stable-Diffusion" (2023), github.com/tfernd/HyperTile.

use burn::tensor::Tensor;

use crate::Result;
use crate::models::hooks::{AttentionInput, AttentionKind, AttentionSite, NetworkHook};
use crate::sampling::{Key, Memory};

/// The smallest tile, in pixels, and the pixels of a cell.
const SMALLEST_TILE: usize = 32;
const CELL: usize = 8;
/// More resolutions than any network has.
const DEEPEST: u32 = 16;

/// Queries are divided into tiles, of a size that is drawn anew each time.
#[derive(Clone, Debug)]
pub struct HyperTile {
    tile: usize,
    sizes: usize,
    depth: u32,
    scales: bool,
    tiles: Key<Tiles>,
}

/// How the tokens of one call are divided.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    rows: usize,
    columns: usize,
    height: usize,
    width: usize,
}

impl HyperTile {
    /// `tile` is the size of tiles in pixels, `sizes` among how many sizes is drawn, `depth` how many resolutions of the network
    /// below the first are divided too, and `scales` whether tiles are larger there.
    pub fn new(tile: usize, sizes: usize, depth: u32, scales: bool) -> Self {
        Self {
            tile: tile.max(SMALLEST_TILE) / CELL,
            sizes,
            depth,
            scales,
            tiles: Key::new(),
        }
    }

    /// The division of `tokens`, if they are of a resolution that is divided.
    fn division(
        &self,
        tokens: usize,
        [height, width]: [usize; 2],
        memory: &Memory,
    ) -> Option<Tiles> {
        let depth = (0..=self.depth.min(DEEPEST)).find(|depth| {
            let scale = f64::from(1_u32 << depth);
            let cells = (height as f64 / scale) * (width as f64 / scale);
            cells.total_cmp(&(tokens as f64)).is_eq()
        })?;
        let aspect = width as f64 / height as f64;
        // The original takes the two sides for each other.
        let side = |ratio: f64| (tokens as f64 * ratio).sqrt().round_ties_even() as usize;
        let (height, width) = (side(aspect), side(aspect.recip()));
        let smallest = self.tile * if self.scales { 1 << depth } else { 1 };
        let rows = self.count(height, smallest, memory);
        let columns = self.count(width, smallest, memory);
        (rows * columns > 1 && height * width == tokens).then_some(Tiles {
            rows,
            columns,
            height,
            width,
        })
    }

    /// Into how many tiles of at least `smallest` cells a side is divided.
    fn count(&self, side: usize, smallest: usize, memory: &Memory) -> usize {
        let counts: Vec<usize> = (smallest.min(side).max(1)..=side)
            .filter(|size| side.is_multiple_of(*size))
            .take(self.sizes)
            .map(|size| side / size)
            .collect();
        let drawn = match counts.len() {
            0 | 1 => 0,
            // The last is never drawn.
            choices => {
                memory.draw(|generator| generator.randint(0, choices as i64 - 1, 1)[0] as usize)
            }
        };
        counts.get(drawn).copied().unwrap_or(1)
    }
}

impl NetworkHook for HyperTile {
    fn before_attention(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
    ) -> Result<AttentionInput> {
        if site.kind != AttentionKind::ToItself {
            return Ok(input);
        }
        let memory = &site.site.call.memory;
        let [batch, tokens, features] = input.query.dims();
        let Some(tiles) = self.division(tokens, site.site.latent, memory) else {
            return Ok(input);
        };
        memory.set(&self.tiles, tiles);
        let Tiles {
            rows,
            columns,
            height,
            width,
        } = tiles;
        let count = batch * rows * columns;
        let query = input
            .query
            .reshape([
                batch,
                rows,
                height / rows,
                columns,
                width / columns * features,
            ])
            .swap_dims(2, 3)
            .reshape([count, tokens / (rows * columns), features]);
        // Keys and values are divided in the order in which they come, not into the same tiles.
        let lines = |tensor: Tensor<3>| {
            let [_, keys, features] = tensor.dims();
            tensor.reshape([count, keys / (rows * columns), features])
        };
        Ok(AttentionInput {
            query,
            key: lines(input.key),
            value: lines(input.value),
        })
    }

    fn after_attention(&self, site: &AttentionSite<'_>, output: Tensor<3>) -> Result<Tensor<3>> {
        if site.kind != AttentionKind::ToItself {
            return Ok(output);
        }
        let Some(tiles) = site.site.call.memory.take(&self.tiles) else {
            return Ok(output);
        };
        let Tiles {
            rows,
            columns,
            height,
            width,
        } = tiles;
        let [count, _, features] = output.dims();
        let batch = count / (rows * columns);
        Ok(output
            .reshape([
                batch,
                rows,
                columns,
                height / rows,
                width / columns * features,
            ])
            .swap_dims(2, 3)
            .reshape([batch, height * width, features]))
    }
}
