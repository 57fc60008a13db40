//! Nodes that take batches of latents apart and put them together. A member keeps its place in the batch it came from, and with
//! it its noise.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::ChangedLatent;
use super::advanced::fitted;
use crate::planes::{Axis, Planes};
use crate::sockets::Latent;

/// Takes some members out of a batch of latents. They get the noise that they have in the whole batch, so that one picture of a
/// batch can be made again alone.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentFromBatch",
    name = "Latent From Batch",
    category = "latent/batch",
    module = "nodes"
)]
pub struct LatentFromBatch {
    /// The batch.
    samples: Latent,
    /// The first member to take; the first of all is 0. Beyond the end, the last one is taken.
    #[input(default = 0u32, min = 0u32, max = 63u32)]
    batch_index: u32,
    /// How many members to take, as far as there are so many.
    #[input(default = 1u32, min = 1u32, max = 64u32)]
    length: u32,
}

impl Node for LatentFromBatch {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let latent = self.samples;
        let planes = latent.planes()?;
        let count = planes.size(Axis::Batch);
        if count == 0 {
            return Err(NodeError::value(
                "expected a batch of at least one latent, got an empty one",
            ));
        }
        let start = (self.batch_index as usize).min(count - 1);
        let length = (self.length as usize).min(count - start);
        let noise_mask = match latent.mask_planes()? {
            Some(mask) if mask.size(Axis::Batch) > 1 => {
                let mask = if mask.size(Axis::Batch) < count {
                    mask.with_batch(count)?
                } else {
                    mask
                };
                Some(mask.narrow(Axis::Batch, start, length)?.into_tensor())
            }
            _ => latent.noise_mask.clone(),
        };
        let places = latent.places();
        let places = places.into_iter().skip(start).take(length).collect();
        Ok(Latent {
            samples: planes.narrow(Axis::Batch, start, length)?.into_tensor(),
            noise_mask,
            batch_index: Some(places),
        }
        .into())
    }
}

/// Repeats a batch of latents. Every copy gets noise of its own.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RepeatLatentBatch",
    name = "Repeat Latent Batch",
    category = "latent/batch",
    module = "nodes"
)]
pub struct RepeatLatentBatch {
    /// The batch.
    samples: Latent,
    /// How often it appears in the new batch.
    #[input(default = 1u32, min = 1u32, max = 64u32)]
    amount: u32,
}

impl Node for RepeatLatentBatch {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let latent = self.samples;
        let amount = self.amount as usize;
        let repeated = |planes: Planes| {
            let count = planes.size(Axis::Batch);
            planes.picked(
                Axis::Batch,
                (0..amount * count).map(|index| index % count.max(1)),
            )
        };
        let noise_mask = match latent.mask_planes()? {
            Some(mask) if mask.size(Axis::Batch) > 1 => Some(repeated(mask)?.into_tensor()),
            _ => latent.noise_mask.clone(),
        };
        let batch_index = latent.batch_index.as_ref().map(|places| {
            let range = places.iter().min().zip(places.iter().max());
            let step = range.map_or(0, |(least, most)| most - least + 1);
            (0..amount as i64)
                .flat_map(|copy| places.iter().map(move |place| place + copy * step))
                .collect()
        });
        Ok(Latent {
            samples: repeated(latent.planes()?)?.into_tensor(),
            noise_mask,
            batch_index,
        }
        .into())
    }
}

/// Puts two batches of latents one behind the other. The second is scaled to the size of the first.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentBatch",
    category = "latent/batch",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentBatch {
    /// The batch that comes first. Its noise mask is kept.
    samples1: Latent,
    /// The batch that comes behind it.
    samples2: Latent,
}

impl Node for LatentBatch {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let first = self.samples1.planes()?;
        let second = fitted(self.samples2.planes()?, first.shape())?;
        let mut places = self.samples1.places();
        places.extend(self.samples2.places());
        let joined = first.concatenated(&second, Axis::Batch)?;
        Ok(Latent {
            batch_index: Some(places),
            ..self.samples1.with_planes(joined)
        }
        .into())
    }
}

/// Which noise the members of a batch get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum SeedBehavior {
    /// Each its own.
    #[choice("random")]
    Random,
    /// All the same.
    #[choice("fixed")]
    Fixed,
}

/// Sets whether the members of a batch are sampled from the same noise or each from its own.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentBatchSeedBehavior",
    category = "latent/advanced",
    module = "comfy_extras.nodes_latent",
    v3
)]
pub struct LatentBatchSeedBehavior {
    /// The batch.
    samples: Latent,
    /// With "random" every member has noise of its own, with "fixed" all have that of the first.
    #[input(default = SeedBehavior::Fixed)]
    seed_behavior: SeedBehavior,
}

impl Node for LatentBatchSeedBehavior {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let batch_index = match self.seed_behavior {
            SeedBehavior::Random => None,
            SeedBehavior::Fixed => {
                let first = self.samples.places().first().copied().unwrap_or(0);
                Some(vec![first; self.samples.shape()[0]])
            }
        };
        Ok(Latent {
            batch_index,
            ..self.samples
        }
        .into())
    }
}
