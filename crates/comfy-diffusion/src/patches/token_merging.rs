//! Merging queries that are alike before self-attention.
//!
//! Source: D. Bolya, J. Hoffman, "Token merging for fast stable diffusion" (2023): bipartite soft matching with one random
//! destination in each square of two by two.

use burn::tensor::{Int, Tensor, TensorData};

use crate::models::hooks::{AttentionInput, AttentionKind, AttentionSite, NetworkHook};
use crate::sampling::{Key, Memory};
use crate::{Error, Result};

/// The side of the squares.
const STRIDE: usize = 2;

/// Merges queries at the network's highest resolution.
#[derive(Clone, Debug)]
pub struct TokenMerging {
    ratio: f64,
    places: Key<Tensor<3, Int>>,
}

impl TokenMerging {
    /// `ratio` is the part of the queries that are merged into others, 0 to 1.
    pub fn new(ratio: f64) -> Self {
        Self {
            ratio,
            places: Key::new(),
        }
    }
}

impl NetworkHook for TokenMerging {
    fn before_attention(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
    ) -> Result<AttentionInput> {
        let [batch, tokens, width] = input.query.dims();
        let [rows, columns] = site.site.latent;
        let merged = (tokens as f64 * self.ratio) as usize;
        let is_lower = tokens != rows * columns;
        if site.kind != AttentionKind::ToItself
            || is_lower
            || merged == 0
            || rows == 1
            || columns == 1
        {
            return Ok(input);
        }
        let memory = &site.site.call.memory;
        let is_destination = destinations([rows, columns], memory);
        let plan = Plan::new(&input.query, &is_destination, merged)?;
        let device = input.query.device();
        let indices = |values: Vec<i32>| {
            let count = values.len() / batch;
            Tensor::<3, Int>::from_data(TensorData::new(values, [batch, count, 1]), &device)
                .expand([batch, count, width])
        };
        let places = indices(plan.places);
        // The sum of all tokens at a place, and how many there are.
        let zeros = Tensor::<3>::zeros([batch, plan.kept, width], &device);
        let sum = zeros.scatter(
            1,
            places.clone(),
            input.query,
            burn::tensor::IndexingUpdateOp::Add,
        );
        let counts =
            Tensor::<3>::from_data(TensorData::new(plan.counts, [batch, plan.kept, 1]), &device);
        memory.set(&self.places, places);
        Ok(AttentionInput {
            query: sum / counts,
            ..input
        })
    }

    fn after_attention(&self, site: &AttentionSite<'_>, output: Tensor<3>) -> Result<Tensor<3>> {
        if site.kind != AttentionKind::ToItself {
            return Ok(output);
        }
        Ok(match site.site.call.memory.take(&self.places) {
            Some(places) => output.gather(1, places),
            None => output,
        })
    }
}

/// One token of each whole square, which others may be merged into.
fn destinations([rows, columns]: [usize; 2], memory: &Memory) -> Vec<bool> {
    let (down, across) = (rows / STRIDE, columns / STRIDE);
    let choices = (STRIDE * STRIDE) as i64;
    let drawn = memory.draw(|generator| generator.randint(0, choices, down * across));
    let mut is_destination = vec![false; rows * columns];
    for (square, choice) in drawn.into_iter().enumerate() {
        let choice = choice as usize;
        let row = square / across * STRIDE + choice / STRIDE;
        let column = square % across * STRIDE + choice % STRIDE;
        is_destination[row * columns + column] = true;
    }
    is_destination
}

/// Which tokens are merged.
struct Plan {
    /// For each token of each item its place among those that are kept.
    places: Vec<i32>,
    /// For each place how many tokens are there.
    counts: Vec<f32>,
    /// How many places an item has.
    kept: usize,
}

impl Plan {
    fn new(tokens: &Tensor<3>, is_destination: &[bool], merged: usize) -> Result<Self> {
        let [batch, count, _] = tokens.dims();
        let of_kind = |kind: bool| -> Vec<usize> {
            (0..count)
                .filter(|token| is_destination[*token] == kind)
                .collect()
        };
        let (sources, targets) = (of_kind(false), of_kind(true));
        let merged = merged.min(sources.len());
        let device = tokens.device();
        let lengths = tokens.clone().square().sum_dim(2).sqrt();
        let directions = tokens.clone() / lengths;
        let pick = |of: &[usize]| {
            let of: Vec<i32> = of.iter().map(|token| *token as i32).collect();
            directions
                .clone()
                .select(1, Tensor::<1, Int>::from_data(of.as_slice(), &device))
        };
        let scores = pick(&sources).matmul(pick(&targets).swap_dims(1, 2));
        let (best, nearest) = scores.max_dim_with_indices(2);
        let unreadable =
            |error: &dyn std::fmt::Display| Error::Device(format!("cannot read a tensor: {error}"));
        let best: Vec<f32> = best.try_into_vec_as().map_err(|error| unreadable(&error))?;
        let nearest = nearest.into_data().convert::<i32>();
        let nearest: Vec<i32> = nearest.try_into_vec().map_err(|error| unreadable(&error))?;

        let kept = count - merged;
        let unmerged = sources.len() - merged;
        let mut plan = Self {
            places: vec![0; batch * count],
            counts: vec![1.0; batch * kept],
            kept,
        };
        for item in 0..batch {
            let best = &best[item * sources.len()..][..sources.len()];
            let mut order: Vec<usize> = (0..sources.len()).collect();
            order.sort_by(|left, right| best[*right].total_cmp(&best[*left]));
            let places = &mut plan.places[item * count..][..count];
            for (place, target) in targets.iter().enumerate() {
                places[*target] = (unmerged + place) as i32;
            }
            for (rank, source) in order.into_iter().enumerate() {
                let place = if rank < merged {
                    let place = unmerged as i32 + nearest[item * sources.len() + source];
                    plan.counts[item * kept + place as usize] += 1.0;
                    place
                } else {
                    (rank - merged) as i32
                };
                places[sources[source]] = place;
            }
        }
        Ok(plan)
    }
}
