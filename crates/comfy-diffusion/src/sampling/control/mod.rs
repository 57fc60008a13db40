//! Steering a model by pictures: control nets and their relatives, as conditions carry them.

mod picture;
mod ready;
mod residuals;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use burn::tensor::Tensor;

pub(super) use self::ready::{ControlCall, ReadyControl};
pub(super) use self::residuals::Steered;
use super::{Key, ProgressRange};
use crate::models::control::ControlNetwork;
use crate::residency::Resident;
use crate::{Model, Result};

/// A network that steers another, not yet shown a picture. Cheap to clone and to change.
#[derive(Clone, Debug)]
pub struct ControlNet {
    source: Arc<dyn ControlSource>,
    /// What the pictures show, for networks that are told: the number of the kind.
    pub task: Option<usize>,
    /// Whether what it adds is the same at each place of a picture: the mean.
    pub is_averaged: bool,
    /// How its strength counts on the way.
    pub fading: Fading,
}

/// Where the network comes from.
pub trait ControlSource: fmt::Debug + Send + Sync {
    /// The network, for steering this model.
    ///
    /// # Errors
    ///
    /// If it is made of the model's weights and they do not fit.
    fn network(&self, model: &Model) -> Result<Resident<dyn ControlNetwork>>;
}

/// The same network for every model.
impl ControlSource for Resident<dyn ControlNetwork> {
    fn network(&self, _: &Model) -> Result<Resident<dyn ControlNetwork>> {
        Ok(self.clone())
    }
}

/// How the strength of a network counts for what it adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fading {
    /// The same for all.
    #[default]
    None,
    /// As a power of the strength: 1 for the last of a list, 2 for the one before it. Below 1 the first, which hold the finest
    /// detail, count least.
    ByDepth,
}

impl ControlNet {
    /// A network from a source, which counts evenly.
    pub fn new(source: Arc<dyn ControlSource>) -> Self {
        Self {
            source,
            task: None,
            is_averaged: false,
            fading: Fading::None,
        }
    }

    /// The network, for steering this model.
    ///
    /// # Errors
    ///
    /// If it is made of the model's weights and they do not fit.
    pub fn network(&self, model: &Model) -> Result<Resident<dyn ControlNetwork>> {
        self.source.network(model)
    }
}

/// A network and the pictures that it is shown, as a part of a condition.
#[derive(Debug)]
pub struct Control {
    net: ControlNet,
    /// `[pictures, channels, height, width]`
    pictures: Tensor<4>,
    strength: f64,
    range: ProgressRange,
    covers_negative: bool,
    previous: Option<Arc<Control>>,
    /// What was made of the pictures in a run, by the size of the latent.
    read: Key<BTreeMap<[usize; 2], Vec<Tensor<4>>>>,
}

impl Control {
    /// The networks of this control and of those before it, for steering a model.
    pub(super) fn networks(&self, model: &Model) -> Result<Vec<Resident<dyn ControlNetwork>>> {
        let mut networks = vec![self.net.network(model)?];
        if let Some(previous) = &self.previous {
            networks.extend(previous.networks(model)?);
        }
        Ok(networks)
    }

    /// A network that is shown pictures `[pictures, channels, height, width]` with values from 0 to 1, of any size.
    pub fn new(net: ControlNet, pictures: Tensor<4>, strength: f64) -> Self {
        Self {
            net,
            pictures,
            strength,
            range: ProgressRange::ALL,
            covers_negative: false,
            previous: None,
            read: Key::new(),
        }
    }

    /// The same on a part of the way only.
    #[must_use]
    pub fn with_range(self, range: ProgressRange) -> Self {
        Self { range, ..self }
    }

    /// The same, also for negative conditions that have no control of their own.
    #[must_use]
    pub fn covering_negative(self) -> Self {
        Self {
            covers_negative: true,
            ..self
        }
    }

    /// The same after another, whose residuals are added to its own.
    #[must_use]
    pub fn after(self, previous: Option<Arc<Self>>) -> Self {
        Self { previous, ..self }
    }

    /// Whether negative conditions get it too.
    pub fn covers_negative(&self) -> bool {
        self.covers_negative
    }

    /// The pictures.
    pub fn pictures(&self) -> &Tensor<4> {
        &self.pictures
    }
}
