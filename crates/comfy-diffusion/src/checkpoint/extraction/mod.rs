//! Differences of models as files of changes: `LoRA` of the strongest parts of each difference, or the whole of it.

mod factors;
mod lanczos;
mod tridiagonal;

use std::cell::RefCell;
use std::rc::Rc;

use factors::{Factors, factors};

use super::saving::{NETWORK_PARTS, named, text};
use crate::text::Clip;
use crate::weights::{Outgoing, Stored};
use crate::{Error, Model};

/// What is kept of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extraction {
    /// How many parts of each matrix are kept, the strongest; `None` keeps matrices whole.
    pub rank: Option<usize>,
    /// Whether differences of what is no matrix (biases, the scales of norms) are kept.
    pub keeps_vectors: bool,
}

impl Extraction {
    /// The tensors of a file of changes for a model that is the difference of two. They are computed when they are written.
    pub fn of_network(&self, difference: &Model) -> Vec<Outgoing<'static>> {
        let source = difference.network.source();
        let tensors = source.map(|source| named(&source, &NETWORK_PARTS, "diffusion_model."));
        self.of_tensors(tensors.unwrap_or_default())
    }

    /// The same for a text encoder.
    pub fn of_text_encoder(&self, difference: &Clip) -> Vec<Outgoing<'static>> {
        let networks = difference.sources().into_iter();
        let tensors = networks
            .flat_map(|(key, source)| text(&source, &format!("text_encoders.{key}.transformer.")));
        self.of_tensors(tensors.collect())
    }

    fn of_tensors(&self, tensors: Vec<Outgoing<'static>>) -> Vec<Outgoing<'static>> {
        let tensors = tensors.into_iter();
        tensors.flat_map(|tensor| self.of_tensor(tensor)).collect()
    }

    fn of_tensor(&self, tensor: Outgoing<'static>) -> Vec<Outgoing<'static>> {
        let renamed = |tensor: Outgoing<'static>, layer: &str, ending: &str| Outgoing {
            name: format!("{layer}.{ending}"),
            element: Stored::Half,
            ..tensor
        };
        let name = tensor.name.clone();
        if let Some(layer) = name.strip_suffix(".weight") {
            match (self.rank, tensor.shape.len()) {
                (Some(rank), 2..) => low_rank(tensor, layer, rank),
                (Some(_), _) if !self.keeps_vectors => Vec::new(),
                _ => vec![renamed(tensor, layer, "diff")],
            }
        } else {
            let layer = name.strip_suffix(".bias");
            let layer = layer.filter(|_| self.keeps_vectors);
            let kept = layer.map(|layer| renamed(tensor, layer, "diff_b"));
            kept.into_iter().collect()
        }
    }
}

/// Two factors of a matrix, which are computed together.
fn low_rank(tensor: Outgoing<'static>, layer: &str, rank: usize) -> Vec<Outgoing<'static>> {
    let Outgoing { shape, values, .. } = tensor;
    let (Some(rows), Some(channels)) = (shape.first().copied(), shape.get(1).copied()) else {
        return Vec::new();
    };
    let rank = rank.min(rows).min(channels);
    let kernel = shape.get(2..).unwrap_or_default();
    let up_shape = [&[rows, rank], vec![1; kernel.len()].as_slice()].concat();
    let down_shape = [&[rank, channels], kernel].concat();
    let columns = channels * kernel.iter().product::<usize>();
    let made: Rc<RefCell<Option<Factors>>> = Rc::default();
    let values: Rc<dyn Fn() -> Result<Vec<f32>, Error>> = Rc::from(values);
    let part = |take: fn(&mut Factors) -> Vec<f32>| {
        let (made, values) = (Rc::clone(&made), Rc::clone(&values));
        move || -> Result<Vec<f32>, Error> {
            let mut both = match made.take() {
                Some(both) => both,
                None => factors(&values()?, [rows, columns], rank),
            };
            let part = take(&mut both);
            // Nothing is kept longer than it takes to write both.
            if !(both.up.is_empty() && both.down.is_empty()) {
                *made.borrow_mut() = Some(both);
            }
            Ok(part)
        }
    };
    vec![
        Outgoing {
            name: format!("{layer}.lora_up.weight"),
            shape: up_shape,
            element: Stored::Half,
            values: Box::new(part(|both| std::mem::take(&mut both.up))),
        },
        Outgoing {
            name: format!("{layer}.lora_down.weight"),
            shape: down_shape,
            element: Stored::Half,
            values: Box::new(part(|both| std::mem::take(&mut both.down))),
        },
    ]
}
