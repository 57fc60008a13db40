//! Attention that never holds all scores.

use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::function::{self, multiply_add};
use crate::operand::Matrix;
use crate::product::{Side, pack};
use crate::result::written;
use crate::tile::{Layout, Tile};
use crate::vectorise::vectorised;

/// Keys whose scores are held at a time, at most: with the lanes of a tile they stay in the nearest caches.
const KEYS: usize = 240;

/// Panels of queries that go through a head together, at most.
const PANELS: usize = 4;

/// Tasks for each thread, where there are as many panels of queries.
const TASKS: usize = 2;

/// Lanes that the loops between the products take at a time; every tile has a multiple of them.
const GROUP: usize = 16;

/// The sizes of an attention.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Independent problems.
    pub batch: usize,
    /// Queries of each.
    pub queries: usize,
    /// Keys and values of each.
    pub keys: usize,
    /// Heads, side by side in each token.
    pub heads: usize,
    /// Features of a head.
    pub size: usize,
    /// Whether a query sees only keys at its own place and before.
    pub causal: bool,
}

/// `softmax(q · kᵀ / √size) · v` for each head, of `[batch, queries, heads · size]` and twice `[batch, keys, heads · size]`.
///
/// The softmax is taken while going over the keys (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et
/// al. 2022, "`FlashAttention`"). Scores are computed with queries as lanes: then what is left of them after the softmax is a panel as
/// it stands.
///
/// # Panics
///
/// If a slice has not as many values as the sizes say.
pub fn attend(
    tile: &Tile,
    sizes: &Attention,
    query: &[f32],
    key: &[f32],
    value: &[f32],
) -> Vec<f32> {
    let Attention {
        batch,
        queries,
        keys,
        heads,
        size,
        ..
    } = *sizes;
    let width = heads * size;
    let count = batch * queries * width;
    if count == 0 || keys == 0 {
        return vec![0.0; count];
    }
    let block = (KEYS / tile.rows * tile.rows).min(keys.next_multiple_of(tile.rows));
    let keys_of_head = keys.div_ceil(tile.rows) * tile.panel(tile.rows, size);
    let values_of_block = size.div_ceil(tile.rows) * tile.panel(tile.rows, block);
    let head = |values: &'_ [f32], index: usize, tokens: usize| {
        index / heads * tokens * width + index % heads * size..values.len()
    };
    let plan = Plan {
        tile,
        sizes,
        block,
        values_of_block,
    };
    let mut packed_keys = Buffer::new(batch * heads * keys_of_head);
    packed_keys
        .par_chunks_exact_mut(keys_of_head)
        .enumerate()
        .for_each(|(index, packed)| {
            plan.pack_keys(&key[head(key, index, keys)], packed);
        });
    let values_of_head = keys.div_ceil(block) * values_of_block;
    let mut packed_values = Buffer::new(batch * heads * values_of_head);
    packed_values
        .par_chunks_exact_mut(values_of_head)
        .enumerate()
        .for_each(|(index, packed)| {
            plan.pack_values(&value[head(value, index, keys)], packed);
        });
    // Some panels of queries go through a head together, so that its keys and values are read less often.
    let panels = batch * queries.div_ceil(tile.lanes);
    let together = (panels / (TASKS * rayon::current_num_threads())).clamp(1, PANELS);
    let attend = |places: &mut [MaybeUninit<f32>]| {
        let images = places.par_chunks_exact_mut(queries * width).enumerate();
        images.for_each(|(image, places)| {
            let tasks = places.par_chunks_mut(together * tile.lanes * width);
            tasks.enumerate().for_each(|(task, places)| {
                let mut scratch = Scratch::new(&plan);
                for index in image * heads..(image + 1) * heads {
                    let query = &query[head(query, index, queries)];
                    let keys = &packed_keys[index * keys_of_head..][..keys_of_head];
                    let values = &packed_values[index * values_of_head..][..values_of_head];
                    let panels = places.chunks_mut(tile.lanes * width);
                    for (panel, places) in (task * together..).zip(panels) {
                        let places = &mut places[index % heads * size..];
                        plan.attend(&mut scratch, panel, query, keys, values, places);
                    }
                }
            });
        });
    };
    #[expect(
        unsafe_code,
        reason = "results are not cleared before they are written"
    )]
    // SAFETY: each token is in a panel of its image, for which all features of every head are written.
    unsafe {
        written(count, attend)
    }
}

struct Plan<'a> {
    tile: &'a Tile,
    sizes: &'a Attention,
    /// Keys of a block: a multiple of the rows of a tile.
    block: usize,
    /// What the packed values of a block of keys take.
    values_of_block: usize,
}

/// What one task writes to.
struct Scratch {
    query: Buffer,
    /// `[keys of a block, lanes]`
    scores: Buffer,
    /// The scores after the softmax, where they are not a panel as they stand.
    weights: Buffer,
    /// `[features, lanes]`, features filled up to whole tiles.
    sums_of_values: Buffer,
    largest: Buffer,
    sums: Buffer,
    correction: Buffer,
}

impl Scratch {
    fn new(plan: &Plan) -> Self {
        let (tile, size) = (plan.tile, plan.sizes.size);
        let lanes = tile.lanes;
        Self {
            query: Buffer::new(tile.panel(lanes, size)),
            scores: Buffer::new(plan.block.next_multiple_of(2) * lanes),
            weights: match tile.layout {
                Layout::Blocks => Buffer::new(tile.panel(lanes, plan.block)),
                Layout::Values | Layout::Words(_) => Buffer::new(0),
            },
            sums_of_values: Buffer::new(size.next_multiple_of(tile.rows) * lanes),
            largest: Buffer::new(lanes),
            sums: Buffer::new(lanes),
            correction: Buffer::new(lanes),
        }
    }
}

impl Plan<'_> {
    fn pack_keys(&self, key: &[f32], packed: &mut [f32]) {
        let Attention {
            keys, heads, size, ..
        } = *self.sizes;
        let rows = self.tile.rows;
        let matrix = Matrix::new(key, [keys, size], [heads * size, 1]);
        let panels = packed.chunks_exact_mut(self.tile.panel(rows, size));
        for (panel, first) in panels.zip((0..keys).step_by(rows)) {
            let lanes = first..keys.min(first + rows);
            pack(self.tile, &matrix, lanes, 0..size, Side::Left, panel);
        }
    }

    fn pack_values(&self, value: &[f32], packed: &mut [f32]) {
        let Attention {
            keys, heads, size, ..
        } = *self.sizes;
        let rows = self.tile.rows;
        let matrix = Matrix::new(value, [size, keys], [1, heads * size]);
        let blocks = packed.chunks_exact_mut(self.values_of_block);
        for (block, start) in blocks.zip((0..keys).step_by(self.block)) {
            let depth = start..keys.min(start + self.block);
            let panels = block.chunks_exact_mut(self.tile.panel(rows, self.block));
            for (panel, first) in panels.zip((0..size).step_by(rows)) {
                let lanes = first..size.min(first + rows);
                pack(self.tile, &matrix, lanes, depth.clone(), Side::Left, panel);
            }
        }
    }

    /// The result of one panel of queries, `[queries, heads · size]`, from its head's first feature on.
    fn attend(
        &self,
        scratch: &mut Scratch,
        panel: usize,
        query: &[f32],
        packed_keys: &[f32],
        packed_values: &[f32],
        places: &mut [MaybeUninit<f32>],
    ) {
        let tile = self.tile;
        let Attention {
            queries,
            keys,
            heads,
            size,
            causal,
            ..
        } = *self.sizes;
        let (rows, lanes) = (tile.rows, tile.lanes);
        let first_query = panel * lanes;
        let some = first_query..queries.min(first_query + lanes);
        let matrix = Matrix::new(query, [queries, size], [heads * size, 1]);
        pack(
            tile,
            &matrix,
            some.clone(),
            0..size,
            Side::Right,
            &mut scratch.query,
        );
        let query = &scratch.query[..tile.words(lanes, size)];
        scratch.sums_of_values.fill(0.0);
        scratch.largest.fill(f32::NEG_INFINITY);
        scratch.sums.fill(0.0);
        // Powers of two are taken instead of e.
        let factor = std::f32::consts::LOG2_E / (size as f32).sqrt();
        let ready = tile.ready();
        let blocks = packed_values.chunks_exact(self.values_of_block);
        for (values, start) in blocks.zip((0..keys).step_by(self.block)) {
            if causal && start >= some.end {
                break;
            }
            let count = self.block.min(keys - start);
            let filled = count.next_multiple_of(rows);
            let key_panel = tile.panel(rows, size);
            let key_panels = packed_keys[start / rows * key_panel..].chunks_exact(key_panel);
            let scores = &mut scratch.scores[..filled * lanes];
            for (scores, key) in scores.chunks_exact_mut(rows * lanes).zip(key_panels) {
                ready.run(&key[..tile.words(rows, size)], query, scores, lanes, false);
            }
            scores[count * lanes..].fill(f32::NEG_INFINITY);
            if causal {
                hide(scores, lanes, start, first_query);
            }
            soften(
                scores,
                &mut scratch.largest,
                &mut scratch.sums,
                &mut scratch.correction,
                factor,
            );
            if start > 0 {
                scale_rows(&mut scratch.sums_of_values, &scratch.correction);
            }
            let weights = match tile.layout {
                Layout::Values => &*scores,
                Layout::Words(join) => {
                    join(scores, lanes);
                    &*scores
                }
                Layout::Blocks => {
                    let matrix = Matrix::new(&*scores, [lanes, count], [1, lanes]);
                    pack(
                        tile,
                        &matrix,
                        0..lanes,
                        0..count,
                        Side::Right,
                        &mut scratch.weights,
                    );
                    &*scratch.weights
                }
            };
            let weights = &weights[..tile.words(lanes, count)];
            let panels = values.chunks_exact(tile.panel(rows, self.block));
            let sums = scratch.sums_of_values.chunks_exact_mut(rows * lanes);
            for (sums, values) in sums.zip(panels) {
                ready.run(
                    &values[..tile.words(rows, count)],
                    weights,
                    sums,
                    lanes,
                    true,
                );
            }
        }
        for (lane, row) in places.chunks_mut(heads * size).enumerate() {
            let inverse = 1.0 / scratch.sums[lane];
            let sums = scratch.sums_of_values.chunks_exact(lanes);
            for (place, sums) in row[..size].iter_mut().zip(sums) {
                place.write(sums[lane] * inverse);
            }
        }
    }
}

/// Hides the keys after each query.
fn hide(scores: &mut [f32], lanes: usize, first_key: usize, first_query: usize) {
    for (row, scores) in scores.chunks_exact_mut(lanes).enumerate() {
        let hidden = (first_key + row).saturating_sub(first_query).min(lanes);
        scores[..hidden].fill(f32::NEG_INFINITY);
    }
}

vectorised! {
    /// Makes powers of two of `[keys, lanes]` scores times a factor and adds them up by lane; `correction` is what earlier sums are worth
    /// now that a larger score may have been seen.
    fn soften(scores: &mut [f32], largest: &mut [f32], sums: &mut [f32], correction: &mut [f32], factor: f32) {
        if largest.len().is_multiple_of(2 * GROUP) {
            soften_groups::<FUSED, { 2 * GROUP }>(scores, largest, sums, correction, factor);
        } else {
            soften_groups::<FUSED, GROUP>(scores, largest, sums, correction, factor);
        }
    }

    /// Multiplies each row of values by the factors.
    fn scale_rows(values: &mut [f32], factors: &[f32]) {
        let (factors, _) = factors.as_chunks::<GROUP>();
        let (values, _) = values.as_chunks_mut::<GROUP>();
        for values in values.chunks_exact_mut(factors.len()) {
            for (values, factors) in values.iter_mut().zip(factors) {
                for (value, factor) in values.iter_mut().zip(factors) {
                    *value *= factor;
                }
            }
        }
    }
}

/// [`soften`] with so many lanes at a time. Lanes wait for their own sums alone, so that twice as many registers take little longer.
#[expect(
    clippy::inline_always,
    reason = "compiled for the instruction set of its caller"
)]
#[inline(always)]
fn soften_groups<const FUSED: bool, const LANES: usize>(
    scores: &mut [f32],
    largest: &mut [f32],
    sums: &mut [f32],
    correction: &mut [f32],
    factor: f32,
) {
    let groups = largest.len() / LANES;
    let (largest, _) = largest.as_chunks_mut::<LANES>();
    let (sums, _) = sums.as_chunks_mut::<LANES>();
    let (correction, _) = correction.as_chunks_mut::<LANES>();
    let (scores, _) = scores.as_chunks_mut::<LANES>();
    let lanes = largest.iter_mut().zip(sums).zip(correction);
    for (group, ((largest, sums), correction)) in lanes.enumerate() {
        let before = *largest;
        let mut most = before;
        for scores in scores.iter().skip(group).step_by(groups) {
            for (most, score) in most.iter_mut().zip(scores) {
                *most = if *score > *most { *score } else { *most };
            }
        }
        let shift = most.map(|most| -most * factor);
        let mut sum = [0.0; LANES];
        for scores in scores.iter_mut().skip(group).step_by(groups) {
            for ((score, shift), sum) in scores.iter_mut().zip(&shift).zip(&mut sum) {
                let exponent = multiply_add::<FUSED>(*score, factor, *shift);
                *score = function::power_of_two::<FUSED>(exponent);
                *sum += *score;
            }
        }
        for lane in 0..LANES {
            correction[lane] =
                function::power_of_two::<FUSED>((before[lane] - most[lane]) * factor);
            sums[lane] = sums[lane] * correction[lane] + sum[lane];
        }
        *largest = most;
    }
}
