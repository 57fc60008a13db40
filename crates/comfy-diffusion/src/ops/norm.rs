//! Normalisation.

use burn::tensor::{DType, Tensor, activation};

use super::profile::timed;
use super::strategy::{Kernels, NormStrategy, Strategies};
use super::within;
use super::{card, host};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::weights::Scope;

/// Group normalisation (Wu and He 2018): each group of channels of each image gets mean 0 and variance 1, then each channel its
/// own scale and shift. The variance is the biased one.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    /// `[channels]`
    scale: Tensor<1>,
    /// `[channels]`
    shift: Tensor<1>,
    groups: usize,
    epsilon: f64,
    strategies: Strategies,
}

impl GroupNorm {
    /// A layer of `groups` groups with a scale and a shift for each channel.
    ///
    /// # Errors
    ///
    /// If the channels cannot be divided into `groups` groups.
    pub fn new(
        scale: Tensor<1>,
        shift: Tensor<1>,
        groups: usize,
        epsilon: f64,
        strategies: Strategies,
    ) -> Result<Self> {
        let [channels] = scale.dims();
        if groups == 0 || channels == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::input(format!(
                "expected a number of channels that {groups} groups divide, got {channels}"
            )));
        }
        Ok(Self {
            scale,
            shift,
            groups,
            epsilon,
            strategies,
        })
    }

    /// The layer at `scope`, with `weight` and `bias` of one value per channel.
    pub fn load(
        scope: &Scope,
        groups: usize,
        epsilon: f64,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let [channels] = scope.dims("weight")?;
        if channels == 0 || !channels.is_multiple_of(groups) {
            let expected = format!("a multiple of {groups} channels");
            return Err(scope.shape_error("weight", expected, &[channels]));
        }
        let scale = scope.tensor("weight", [channels], device)?;
        let shift = scope.tensor("bias", [channels], device)?;
        Self::new(scale, shift, groups, epsilon, *device.strategies())
    }

    /// How many channels go in and come out.
    pub fn channels(&self) -> usize {
        self.scale.dims()[0]
    }

    /// Normalises `[batch, channels, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let shape = x.dims();
        timed(|| format!("group norm {shape:?}"), || self.compute(x))
    }

    fn compute(&self, x: Tensor<4>) -> Tensor<4> {
        match self.strategies.kernels {
            Kernels::Host => self.host(x, false),
            Kernels::Burn => self.burn(x, false),
        }
    }

    /// Normalises and applies [`silu`](super::silu), in one pass where the device allows.
    pub fn forward_silu(&self, x: Tensor<4>) -> Tensor<4> {
        let shape = x.dims();
        let name = || format!("group norm and silu {shape:?}");
        timed(name, || match self.strategies.kernels {
            Kernels::Host => self.host(x, true),
            Kernels::Burn => self.burn(x, true),
        })
    }

    fn host(&self, x: Tensor<4>, silu: bool) -> Tensor<4> {
        let parameters = host::Affine {
            scale: &self.scale,
            shift: &self.shift,
            epsilon: self.epsilon as f32,
        };
        host::group_norm(x, &parameters, self.groups, silu)
    }

    fn burn(&self, x: Tensor<4>, silu: bool) -> Tensor<4> {
        if self.strategies.norms == NormStrategy::Fused {
            let parameters = card::Affine {
                scale: &self.scale,
                shift: &self.shift,
                epsilon: self.epsilon as f32,
            };
            return card::group_norm(x, &parameters, self.groups, silu);
        }
        within(DType::F32, x, |x| {
            let normal = self.composed(x);
            if silu {
                activation::silu(normal)
            } else {
                normal
            }
        })
    }

    fn composed(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let grouped: Tensor<3> =
            x.reshape([batch, self.groups, channels / self.groups * height * width]);
        let mean = grouped.clone().mean_dim(2);
        let centred = grouped - mean;
        let variance = centred.clone().square().mean_dim(2);
        let normal = centred / (variance + self.epsilon).sqrt();
        let per_channel = [1, channels, 1, 1];
        normal.reshape([batch, channels, height, width]) * self.scale.clone().reshape(per_channel)
            + self.shift.clone().reshape(per_channel)
    }
}

/// Layer normalisation (Ba et al. 2016) over the last dimension.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    /// `[width]`
    scale: Tensor<1>,
    /// `[width]`
    shift: Tensor<1>,
    epsilon: f64,
    strategies: Strategies,
}

impl LayerNorm {
    /// A layer with a scale and a shift for each feature.
    pub fn new(scale: Tensor<1>, shift: Tensor<1>, epsilon: f64, strategies: Strategies) -> Self {
        Self {
            scale,
            shift,
            epsilon,
            strategies,
        }
    }

    /// The layer at `scope`, with `weight` and `bias` of one value per feature.
    pub fn load(scope: &Scope, epsilon: f64, device: &ComputeDevice) -> Result<Self> {
        let [width] = scope.dims("weight")?;
        let scale = scope.tensor("weight", [width], device)?;
        let shift = scope.tensor("bias", [width], device)?;
        Ok(Self::new(scale, shift, epsilon, *device.strategies()))
    }

    /// The size of the last dimension.
    pub fn width(&self) -> usize {
        self.scale.dims()[0]
    }

    /// Normalises `[batch, tokens, width]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let shape = x.dims();
        timed(|| format!("layer norm {shape:?}"), || self.compute(x))
    }

    fn compute(&self, x: Tensor<3>) -> Tensor<3> {
        match self.strategies.kernels {
            Kernels::Host => host::layer_norm(
                x,
                &host::Affine {
                    scale: &self.scale,
                    shift: &self.shift,
                    epsilon: self.epsilon as f32,
                },
            ),
            Kernels::Burn if self.strategies.norms == NormStrategy::Fused => card::layer_norm(
                x,
                &card::Affine {
                    scale: &self.scale,
                    shift: &self.shift,
                    epsilon: self.epsilon as f32,
                },
            ),
            Kernels::Burn => within(DType::F32, x, |x| {
                let mean = x.clone().mean_dim(2);
                let centred = x - mean;
                let variance = centred.clone().square().mean_dim(2);
                let normal = centred / (variance + self.epsilon).sqrt();
                normal * self.scale.clone().unsqueeze() + self.shift.clone().unsqueeze()
            }),
        }
    }
}
