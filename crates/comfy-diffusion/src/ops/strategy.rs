//! The ways in which operators can be computed.

use burn::tensor::{DType, Tensor};
use comfy_kernels::Tile;

use super::{InElement, Precision};
use crate::weights::Width;

/// How one device computes the operators that have more than one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategies {
    /// Linear layers, norms, activations, resampling.
    pub kernels: Kernels,
    /// Convolutions with kernels larger than one pixel.
    pub convolution: ConvolutionStrategy,
    /// Norms, where burn's kernels compute them.
    pub norms: NormStrategy,
    /// Attention.
    pub attention: AttentionStrategy,
    /// How exactly networks are computed.
    pub precision: Precision,
    /// The most bytes that one intermediate of an operator (attention scores, gathered patches) may take; larger problems are
    /// computed in slices.
    pub scratch_bytes: usize,
}

/// Whose kernels compute linear layers, norms and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernels {
    /// Our own, on the processor: they read burn's CPU tensors in place.
    Host,
    /// Burn's, on any device.
    Burn,
}

/// How a convolution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConvolutionStrategy {
    /// Patches are gathered as they are multiplied with the weights as they lie in the file; on the processor.
    HostTiles,
    /// Burn's convolution: the best of its kernels on devices with matrix units, a plain loop on others.
    Burn,
    /// Patches are gathered by slicing and multiplied with the weights by burn's matrix product.
    Gather,
    /// The same, gathered by one kernel of our own, on graphics devices.
    GatherAtOnce,
}

/// How norms are computed on graphics devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormStrategy {
    /// By several of burn's operators, on any device.
    Composed,
    /// By one kernel of our own, on graphics devices.
    Fused,
}

/// How attention is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionStrategy {
    /// Some queries against some keys at a time; on the processor.
    HostBlocks,
    /// Burn's attention, which picks a fused kernel where it has one, on heads padded with zeros to a multiple of
    /// `head_multiple`.
    Fused {
        /// What the head size must be a multiple of for the fused kernels.
        head_multiple: usize,
    },
    /// Two matrix products with a softmax between, for as many queries at a time as [`Strategies::scratch_bytes`] allows.
    Sliced,
}

impl Strategies {
    /// What the processor does best: our own kernels.
    pub const HOST: Self = Self {
        kernels: Kernels::Host,
        convolution: ConvolutionStrategy::HostTiles,
        norms: NormStrategy::Composed,
        attention: AttentionStrategy::HostBlocks,
        precision: Precision::Single,
        scratch_bytes: 16 << 20,
    };

    /// How weights are kept in the device's memory. Our own kernels widen them as they read them, so there they stay as they are stored.
    pub(crate) fn width_of_weights(&self) -> Width {
        if self.kernels == Kernels::Host && self.convolution == ConvolutionStrategy::HostTiles {
            Width::Stored
        } else if self.element() == DType::F16 {
            Width::Half
        } else {
            Width::Single
        }
    }

    /// The element type of the values that a network passes from layer to layer.
    pub(crate) fn element(&self) -> DType {
        match (self.kernels, self.precision) {
            (Kernels::Burn, Precision::Half) => DType::F16,
            _ => DType::F32,
        }
    }

    /// A bias for these weights. Burn adds only what has the same element type; our own kernels add `f32`.
    pub(super) fn beside<const D: usize>(&self, bias: Tensor<1>, weight: &Tensor<D>) -> Tensor<1> {
        match self.kernels {
            Kernels::Host => bias,
            Kernels::Burn => bias.in_element(weight.element()),
        }
    }

    /// What our own kernels multiply with.
    pub(super) fn tile(&self) -> Tile {
        Tile::of(self.precision.of_host_kernels())
    }

    /// What burn's operators do best on a graphics device if its compiler has matrix units (`matrix_units`) or has none.
    ///
    /// Without matrix units burn's convolution is a plain loop per output value, several times slower than gathering the
    /// patches and using the matrix product, which is tiled.
    ///
    /// It holds on any device; [`Strategies::on_card`] adds kernels of our own.
    pub fn graphics(matrix_units: bool, scratch_bytes: usize) -> Self {
        Self {
            kernels: Kernels::Burn,
            convolution: if matrix_units {
                ConvolutionStrategy::Burn
            } else {
                ConvolutionStrategy::Gather
            },
            norms: NormStrategy::Composed,
            attention: AttentionStrategy::Fused { head_multiple: 16 },
            precision: Precision::Single,
            scratch_bytes,
        }
    }

    /// As [`Strategies::graphics`], with kernels of our own where burn has none that does the whole at once.
    pub fn on_card(matrix_units: bool, scratch_bytes: usize) -> Self {
        let plain = Self::graphics(matrix_units, scratch_bytes);
        Self {
            norms: NormStrategy::Fused,
            convolution: match plain.convolution {
                ConvolutionStrategy::Gather => ConvolutionStrategy::GatherAtOnce,
                other => other,
            },
            ..plain
        }
    }
}
