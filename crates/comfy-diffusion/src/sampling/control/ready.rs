//! Controls with their networks at hand, for one run.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Tensor;

use super::picture::{rows_for, shown};
use super::residuals::{added, weighed};
use super::{Control, Fading};
use crate::models::NetworkInput;
use crate::models::control::{ControlNetwork, Residuals};
use crate::sampling::{Memory, ModelSampling};
use crate::{Model, Result};

/// A control whose network is loaded, and those before it.
#[derive(Clone)]
pub(in crate::sampling) struct ReadyControl {
    control: Arc<Control>,
    network: Arc<dyn ControlNetwork>,
    previous: Option<Box<ReadyControl>>,
}

/// A call of the network that is steered.
pub(in crate::sampling) struct ControlCall<'a> {
    /// What it is called with, but for channels beside the latent.
    pub(in crate::sampling) input: NetworkInput,
    pub(in crate::sampling) sigma: f32,
    /// How many conditions share the call.
    pub(in crate::sampling) parts: usize,
    pub(in crate::sampling) sampling: &'a ModelSampling,
    pub(in crate::sampling) memory: &'a Memory,
}

impl ReadyControl {
    /// Loads what is not loaded.
    pub(in crate::sampling) fn new(control: &Arc<Control>, model: &Model) -> Result<Self> {
        let previous = control.previous.as_ref();
        let previous = previous.map(|control| Self::new(control, model).map(Box::new));
        Ok(Self {
            network: control.net.network(model)?.get()?,
            control: Arc::clone(control),
            previous: previous.transpose()?,
        })
    }

    /// Whether it is the same control.
    pub(in crate::sampling) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.control, &other.control)
    }

    /// Whether negative conditions get it too.
    pub(in crate::sampling) fn covers_negative(&self) -> bool {
        self.control.covers_negative
    }

    /// What is to be added in a call; nothing while none of the controls counts.
    pub(in crate::sampling) fn residuals(
        &self,
        call: &ControlCall<'_>,
    ) -> Result<Option<Residuals>> {
        let previous = match &self.previous {
            None => None,
            Some(previous) => previous.residuals(call)?,
        };
        let control = &*self.control;
        if !control.range.contains(call.sigma, call.sampling) {
            return Ok(previous);
        }
        let rows = call.input.x.dims()[0];
        let read = self.read(call)?;
        let read = read
            .into_iter()
            .map(|read| rows_for(read, rows, call.parts));
        let task = control.net.task;
        let own = self
            .network
            .residuals(read.collect(), task, call.input.clone())?;
        let own = weighed(own, control);
        Ok(Some(match previous {
            None => own,
            Some(previous) => added(previous, own),
        }))
    }

    /// What the network makes of the pictures for a latent of this size, once in a run.
    fn read(&self, call: &ControlCall<'_>) -> Result<Vec<Tensor<4>>> {
        let control = &*self.control;
        let [_, _, height, width] = call.input.x.dims();
        let size = [height, width];
        let mut known: BTreeMap<_, _> = call.memory.get(&control.read).unwrap_or_default();
        if let Some(read) = known.get(&size) {
            return Ok(Vec::clone(read));
        }
        let device = call.input.x.device();
        let pictures = shown(&control.pictures, self.network.picture_size(size))?;
        let pictures = pictures.to_device(&device);
        let read = self.network.read(pictures, control.net.task)?;
        known.insert(size, read.clone());
        call.memory.set(&control.read, known);
        Ok(read)
    }
}

impl Fading {
    /// What a residual is multiplied with; `from_end` counts from 1 for the last of its list.
    pub(super) fn factor(self, strength: f64, from_end: usize) -> f64 {
        match self {
            Self::None => strength,
            Self::ByDepth => strength.powi(i32::try_from(from_end).unwrap_or(i32::MAX)),
        }
    }
}
