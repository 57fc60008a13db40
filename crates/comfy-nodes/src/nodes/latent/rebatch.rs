//! `RebatchLatents`.

use comfy_graph::{List, Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::planes::{Axis, Planes};
use crate::sockets::Latent;

/// Puts the latents of a list together and cuts them into batches of a size. Latents of different sizes never share a batch.
#[derive(Debug, NodeSpec)]
#[node(
    id = "RebatchLatents",
    name = "Rebatch Latents",
    category = "latent/batch",
    module = "comfy_extras.nodes_rebatch",
    v3
)]
pub struct RebatchLatents {
    /// The latents, all that come.
    latents: List<Latent>,
    /// How many members a batch has; the last one may have fewer.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

/// The result of [`RebatchLatents`].
#[derive(Debug, Outputs)]
pub struct RebatchedLatents {
    /// The batches, one after the other.
    #[output(name = "LATENT")]
    latents: List<Latent>,
}

impl Node for RebatchLatents {
    type Output = RebatchedLatents;

    fn run(self, context: &mut NodeContext<'_>) -> Result<RebatchedLatents, NodeError> {
        let size = self.batch_size.max(1) as usize;
        let mut batches = Vec::new();
        let mut current: Option<Batch> = None;
        let mut seen = 0;
        for latent in &*self.latents {
            context.check_interrupt()?;
            let next = Batch::of(latent, seen)?;
            seen += next.places.len() as i64;
            let mut joined = match current.take() {
                None => next,
                Some(batch) if batch.cells() == next.cells() => batch.followed_by(&next)?,
                Some(batch) => {
                    batches.push(batch.into_latent());
                    next
                }
            };
            while joined.count() > size {
                batches.push(joined.part(0, size)?.into_latent());
                joined = joined.part(size, usize::MAX)?;
            }
            current = Some(joined);
        }
        batches.extend(current.map(Batch::into_latent));
        Ok(RebatchedLatents {
            latents: batches.into(),
        })
    }
}

/// Latents on their way into other batches.
struct Batch {
    samples: Planes,
    /// One for each member; nothing where all may change.
    mask: Option<Planes>,
    places: Vec<i64>,
}

impl Batch {
    /// A latent whose members have places of their own, or follow `seen` others.
    fn of(latent: &Latent, seen: i64) -> Result<Self, NodeError> {
        let samples = latent.planes()?;
        let count = samples.size(Axis::Batch);
        let mask = latent.mask_planes()?;
        let places = match &latent.batch_index {
            Some(places) => places.clone(),
            None => (seen..seen + count as i64).collect(),
        };
        Ok(Self {
            mask: mask.map(|mask| mask.with_batch(count)).transpose()?,
            samples,
            places,
        })
    }

    fn count(&self) -> usize {
        self.samples.size(Axis::Batch)
    }

    fn cells(&self) -> (usize, usize) {
        (
            self.samples.size(Axis::Height),
            self.samples.size(Axis::Width),
        )
    }

    /// The masks, written out in the size of the pictures where there are none.
    fn full_mask(&self) -> Result<Planes, NodeError> {
        let (height, width) = self.cells();
        match &self.mask {
            Some(mask) => Ok(mask.clone()),
            None => Planes::filled([self.count(), 1, height * 8, width * 8], |_| 1.0),
        }
    }

    fn followed_by(self, next: &Self) -> Result<Self, NodeError> {
        let mask = if self.mask.is_none() && next.mask.is_none() {
            None
        } else {
            let masks = (self.full_mask()?, next.full_mask()?);
            Some(masks.0.concatenated(&masks.1, Axis::Batch)?)
        };
        Ok(Self {
            mask,
            samples: self.samples.concatenated(&next.samples, Axis::Batch)?,
            places: [self.places, next.places.clone()].concat(),
        })
    }

    fn part(&self, start: usize, length: usize) -> Result<Self, NodeError> {
        let mask = self.mask.as_ref();
        let mask = mask.map(|mask| mask.narrow(Axis::Batch, start, length));
        let places = self.places.iter().skip(start).take(length);
        Ok(Self {
            samples: self.samples.narrow(Axis::Batch, start, length)?,
            mask: mask.transpose()?,
            places: places.copied().collect(),
        })
    }

    /// A mask under which everything may change is left out.
    fn into_latent(self) -> Latent {
        let has_effect = |mask: &Planes| mask.values().iter().any(|value| *value < 1.0);
        Latent {
            samples: self.samples.into_tensor(),
            noise_mask: self.mask.filter(has_effect).map(Planes::into_tensor),
            batch_index: Some(self.places),
        }
    }
}
