//! A place within the names of a file.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use burn::tensor::{DType, Tensor, TensorData};
use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::Dtype;

use super::Weights;
use super::element::{Halves, narrowed};
use super::patch::Patches;
use super::place::Place;
use super::rounding::Rounding;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::residency::Room;

/// The precision of weights in a device's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Width {
    /// 16 bits where the values have no more.
    Stored,
    /// 16 bits, but for values that are too large for an IEEE half.
    Half,
    /// 32 bits.
    #[default]
    Single,
}

/// The tensors of a file whose names start with a prefix; models are built from it.
///
/// Names are given relative to the scope: in `scope.enter("encoder").enter(0)`, `weight` is `encoder.0.weight` of the file.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    weights: &'a Weights,
    /// Empty, or ending in a dot.
    prefix: String,
    rounding: Rounding,
    /// What is changed about the values as they are read.
    patches: Patches,
    /// How much of the prefix leads to the network that the changes are made to.
    network: usize,
    /// What is told of the memory that tensors take.
    room: Arc<Room>,
}

impl<'a> Scope<'a> {
    pub(super) fn root(weights: &'a Weights) -> Self {
        Self {
            weights,
            prefix: String::new(),
            rounding: Rounding::None,
            patches: Patches::default(),
            network: 0,
            room: Arc::default(),
        }
    }

    /// The place that [`Scope::place`] described; its tensors take memory of `room`.
    pub(super) fn at(weights: &'a Weights, place: &Place, room: &Arc<Room>) -> Self {
        Self {
            weights,
            prefix: place.prefix.clone(),
            rounding: place.rounding,
            patches: place.patches.clone(),
            network: place.network,
            room: Arc::clone(room),
        }
    }

    /// The same place, to come back to when the scope is gone.
    pub(crate) fn place(&self) -> Place {
        Place {
            weights: self.weights.clone(),
            prefix: self.prefix.clone(),
            rounding: self.rounding,
            patches: self.patches.clone(),
            network: self.network,
        }
    }

    /// The scope below `name`, which may have several parts (`encoder.layers.0`) or none.
    #[must_use]
    pub fn enter(&self, name: impl Display) -> Self {
        let mut prefix = format!("{}{name}", self.prefix);
        if !prefix.is_empty() && !prefix.ends_with('.') {
            prefix.push('.');
        }
        Self {
            prefix,
            ..self.clone()
        }
    }

    /// The same place, with values rounded to the nearest 16-bit float as they are read.
    ///
    /// That is how text encoders have been run since the first models, whatever precision their files have; their output differs
    /// visibly less from other programs' when the weights do not differ.
    #[must_use]
    pub fn rounded_to_half(&self) -> Self {
        self.rounded(Rounding::Half)
    }

    /// The same place, with values rounded as they are read.
    #[must_use]
    pub fn rounded(&self, rounding: Rounding) -> Self {
        Self {
            rounding,
            ..self.clone()
        }
    }

    /// The same place, with values changed as they are read. It is the place of the network that is changed.
    #[must_use]
    pub fn patched(&self, patches: &Patches) -> Self {
        Self {
            patches: patches.clone(),
            network: self.prefix.len(),
            ..self.clone()
        }
    }

    /// The same place, where tensors take memory of `room`.
    #[must_use]
    pub fn in_room(&self, room: &Arc<Room>) -> Self {
        Self {
            room: Arc::clone(room),
            ..self.clone()
        }
    }

    /// The memory that tensors take here.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// The bytes that all tensors of this scope take on a device, about.
    pub fn footprint(&self, width: Width) -> u64 {
        let names = self.weights.names(&self.prefix);
        names.map(|name| self.bytes_of(name, width)).sum()
    }

    /// The bytes that a tensor takes on a device, by its full name.
    fn bytes_of(&self, full: &str, width: Width) -> u64 {
        let shape = self.weights.shape(full).unwrap_or_default();
        let is_half = self.rounding == Rounding::Half
            || matches!(self.weights.element(full), Some(Dtype::F16 | Dtype::BF16));
        // Scales and shifts are widened everywhere.
        let bytes = match width {
            Width::Stored if is_half && shape.len() > 1 => size_of::<f16>(),
            Width::Half if shape.len() > 1 => size_of::<f16>(),
            _ => size_of::<f32>(),
        };
        (shape.iter().product::<usize>() * bytes) as u64
    }

    /// The file.
    pub fn weights(&self) -> &'a Weights {
        self.weights
    }

    /// What all names in this scope start with: empty, or ending in a dot.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The full name of a tensor in this scope.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.weights.contains(&self.full_name(name))
    }

    /// Whether there are tensors below `name`.
    pub fn has_scope(&self, name: impl Display) -> bool {
        self.weights
            .names(&self.enter(name).prefix)
            .next()
            .is_some()
    }

    /// The first parts of all names in this scope, sorted as text.
    pub fn children(&self) -> BTreeSet<&'a str> {
        self.weights
            .names(&self.prefix)
            .filter_map(|name| name.get(self.prefix.len()..))
            .map(|rest| rest.split_once('.').map_or(rest, |(first, _)| first))
            .collect()
    }

    /// How many of the scopes `name.0`, `name.1`, … there are, without a gap.
    pub fn count(&self, name: &str) -> usize {
        let list = self.enter(name);
        (0..self.weights.names(&list.prefix).count())
            .take_while(|index| list.has_scope(index))
            .count()
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Result<&'a [usize]> {
        let name = self.full_name(name);
        self.weights
            .shape(&name)
            .ok_or_else(|| self.weights.missing(&name))
    }

    /// The shape of a tensor that must have `D` dimensions.
    pub fn dims<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let shape = self.shape(name)?;
        shape
            .try_into()
            .map_err(|_| self.shape_error(name, format!("{D} dimensions"), shape))
    }

    /// The element type of a tensor.
    pub fn element(&self, name: &str) -> Result<Dtype> {
        let name = self.full_name(name);
        self.weights
            .element(&name)
            .ok_or_else(|| self.weights.missing(&name))
    }

    /// A tensor of exactly this shape, converted to `f32`, on the device.
    pub fn tensor<const D: usize>(
        &self,
        name: &str,
        expected: [usize; D],
        device: &ComputeDevice,
    ) -> Result<Tensor<D>> {
        let shape = self.shape(name)?;
        if shape != expected {
            return Err(self.shape_error(name, format!("{expected:?}"), shape));
        }
        let values = self.values(name)?;
        self.room.take(size_of_val(values.as_slice()) as u64);
        Ok(Tensor::from_data(
            TensorData::new(values, expected),
            device.tensor_device(),
        ))
    }

    /// As [`Scope::tensor`], but in 16 bits where the device computes in those, or where the values have no more and the device's operators
    /// can read them.
    pub fn compact_tensor<const D: usize>(
        &self,
        name: &str,
        expected: [usize; D],
        device: &ComputeDevice,
    ) -> Result<Tensor<D>> {
        let halves = match device.strategies().width_of_weights() {
            Width::Stored if self.shape(name)? == expected => self.halves(name)?,
            Width::Half if self.shape(name)? == expected => self.narrowed(name)?,
            _ => None,
        };
        let (data, element) = match halves {
            None => return self.tensor(name, expected, device),
            Some(Halves::Ieee(values)) => (TensorData::new(values, expected), DType::F16),
            Some(Halves::Brain(values)) => (TensorData::new(values, expected), DType::BF16),
        };
        self.room.take(data.bytes().len() as u64);
        Ok(Tensor::from_data(data, (device.tensor_device(), element)))
    }

    /// The values of a tensor in C order, if they are 16-bit floats once all is done to them that is to be.
    fn halves(&self, name: &str) -> Result<Option<Halves>> {
        let full = self.full_name(name);
        let (network, within) = self.within_network(&full);
        if self.patches.touch(&network, within) {
            return Ok(None);
        }
        let last = match self.patches.rounding() {
            Rounding::None => self.rounding,
            last => last,
        };
        let is_stored = match (self.element(name)?, self.rounding) {
            (Dtype::F16, Rounding::None | Rounding::Half) => {
                matches!(last, Rounding::None | Rounding::Half)
            }
            (Dtype::BF16, Rounding::None) => matches!(last, Rounding::None | Rounding::Brain),
            _ => false,
        };
        Ok(match last {
            _ if is_stored => self.weights.halves(&full)?,
            Rounding::Half => {
                let values = self.values(name)?;
                let halves = values.par_iter().map(|value| f16::from_f32(*value));
                Some(Halves::Ieee(halves.collect()))
            }
            Rounding::Brain => {
                let values = self.values(name)?;
                let halves = values.par_iter().map(|value| bf16::from_f32(*value));
                Some(Halves::Brain(halves.collect()))
            }
            _ => None,
        })
    }

    /// The values of a tensor in C order as IEEE halves, rounded if they have more bits; nothing where one is too large for that.
    fn narrowed(&self, name: &str) -> Result<Option<Halves>> {
        if self.element(name)? == Dtype::F16
            && let Some(halves) = self.halves(name)?
        {
            return Ok(Some(halves));
        }
        let halves = narrowed(&self.values(name)?);
        if halves.is_none() {
            let name = self.full_name(name);
            tracing::info!(%name, "it has values that are too large for 16 bits, and is kept in 32");
        }
        Ok(halves.map(Halves::Ieee))
    }

    /// As [`Scope::tensor`], or `None` if there is no tensor of this name.
    pub fn optional_tensor<const D: usize>(
        &self,
        name: &str,
        expected: [usize; D],
        device: &ComputeDevice,
    ) -> Result<Option<Tensor<D>>> {
        self.has(name)
            .then(|| self.tensor(name, expected, device))
            .transpose()
    }

    /// The values of a tensor in C order, converted to `f32`.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let full = self.full_name(name);
        let mut values = self.weights.values(&full)?;
        self.rounding.apply(&mut values);
        let shape = self.weights.shape(&full).unwrap_or_default();
        let (network, name) = self.within_network(&full);
        if self.patches.apply(&network, name, shape, &mut values)? {
            // What is changed is kept in the same precision.
            self.rounding.apply(&mut values);
        }
        self.patches.rounding().apply(&mut values);
        Ok(values)
    }

    /// The place of the network, and the name within it.
    fn within_network<'n>(&self, full: &'n str) -> (Self, &'n str) {
        let mut network = self.clone();
        network.prefix.truncate(self.network);
        (network, &full[self.network..])
    }

    /// Some rows of a tensor of two dimensions, one after the other; the rest is not read.
    pub fn rows(&self, name: &str, rows: &[usize]) -> Result<Vec<f32>> {
        let full = self.full_name(name);
        let (network, within) = self.within_network(&full);
        if self.patches.touch(&network, within) {
            let [count, width] = self.dims(name)?;
            let values = self.values(name)?;
            let mut picked = Vec::with_capacity(rows.len() * width);
            for &row in rows {
                let place = row * width..(row + 1) * width;
                let values = values.get(place).filter(|_| row < count);
                picked.extend_from_slice(values.ok_or_else(|| {
                    self.shape_error(name, format!("more than {row} rows"), &[count, width])
                })?);
            }
            return Ok(picked);
        }
        let mut values = self.weights.rows(&full, rows)?;
        self.rounding.apply(&mut values);
        Ok(values)
    }

    /// Says that a tensor is known but its values are not needed, so that it is not reported as unused.
    pub fn ignore(&self, name: &str) {
        self.weights.mark_used(&self.full_name(name));
    }

    /// The error for a tensor of this scope whose shape breaks a rule.
    pub fn shape_error(&self, name: &str, expected: impl Into<String>, found: &[usize]) -> Error {
        Error::TensorShape {
            path: self.weights.path().to_owned(),
            name: self.full_name(name),
            expected: expected.into(),
            found: found.to_vec(),
        }
    }
}
