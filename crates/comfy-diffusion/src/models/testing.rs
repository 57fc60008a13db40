//! Comparing networks with recordings, part by part.

use burn::tensor::{Tensor, TensorData};
use comfy_fixtures::{Golden, checkpoint, relative_l2};

use super::Activation;
use crate::device::ComputeDevice;
use crate::weights::Weights;

/// The largest relative difference that counts as the same.
pub(crate) const TOLERANCE: f64 = 1e-4;

/// The tensors of a synthetic checkpoint.
pub(crate) fn weights(name: &str) -> Weights {
    Weights::open(&checkpoint(name)).unwrap()
}

/// A recorded tensor, on the device.
pub(crate) fn recorded<const D: usize>(
    golden: &Golden,
    name: &str,
    device: &ComputeDevice,
) -> Tensor<D> {
    let (shape, values) = golden.tensor(name);
    let shape: [usize; D] = shape.try_into().unwrap();
    Tensor::from_data(TensorData::new(values, shape), device.tensor_device())
}

/// Compares what a network computes with what was recorded under a prefix.
pub(crate) struct Comparison<'a> {
    golden: &'a Golden,
    prefix: &'a str,
    seen: Vec<String>,
    wrong: Vec<String>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(golden: &'a Golden, prefix: &'a str) -> Self {
        Self {
            golden,
            prefix,
            seen: Vec::new(),
            wrong: Vec::new(),
        }
    }

    pub(crate) fn observe(&mut self, name: &str, activation: Activation) {
        match activation {
            Activation::Rows(rows) => self.compare(name, rows.clone()),
            Activation::Tokens(tokens) => self.compare(name, tokens.clone()),
            Activation::Image(image) => self.compare(name, image.clone()),
        }
    }

    pub(crate) fn compare<const D: usize>(&mut self, name: &str, got: Tensor<D>) {
        let recorded = format!("{}{name}", self.prefix);
        if !self.golden.has(&recorded) {
            return;
        }
        let (shape, want) = self.golden.tensor(&recorded);
        let got_shape = got.dims().to_vec();
        let got = got.into_data().try_into_vec::<f32>().unwrap();
        let difference = relative_l2(&got, &want);
        if got_shape != shape || difference > TOLERANCE {
            self.wrong
                .push(format!("{name}: {got_shape:?} differs by {difference:.1e}"));
        }
        self.seen.push(name.to_owned());
    }

    /// That every recorded part but `except` was seen, and right. Parts that were not recorded are not compared.
    pub(crate) fn finish(self, except: &[&str]) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        let missed: Vec<String> = self
            .golden
            .names()
            .into_iter()
            .filter_map(|name| name.strip_prefix(self.prefix).map(str::to_owned))
            .filter(|name| !self.seen.contains(name) && !except.contains(&name.as_str()))
            .collect();
        assert!(missed.is_empty(), "recorded but not observed: {missed:?}");
    }
}
