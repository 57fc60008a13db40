//! Strengthening what comes up through the network against what its skip connections bring.
//!
//! Source: C. Si, Z. Huang, Y. Jiang, Z. Liu, "`FreeU`: free lunch in diffusion U-Net" (2023).

use burn::tensor::Tensor;

use super::frequency::scale_frequencies;
use crate::Result;
use crate::models::hooks::{NetworkHook, Site};

/// How the backbone is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreeUVersion {
    /// Half of the channels by a number.
    Plain,
    /// Half of the channels at each place by how strong all channels are there.
    Structured,
}

/// Scales half of the backbone's channels and the lowest frequencies of the skips, in the stages of the way up whose input has four
/// (first numbers) and two times (second numbers) the network's base channels.
#[derive(Clone, Copy, Debug)]
pub struct FreeU {
    /// How the backbone is scaled.
    pub version: FreeUVersion,
    /// The factors of the backbone.
    pub backbone: [f64; 2],
    /// The factors of the skips' lowest frequencies.
    pub skip: [f64; 2],
}

impl NetworkHook for FreeU {
    fn before_join(
        &self,
        site: &Site<'_>,
        x: Tensor<4>,
        skip: Tensor<4>,
    ) -> Result<(Tensor<4>, Tensor<4>)> {
        let [batch, channels, height, width] = x.dims();
        let multiples = [4, 2].map(|multiple| multiple * site.base_channels);
        let Some(index) = multiples.iter().position(|multiple| *multiple == channels) else {
            return Ok((x, skip));
        };
        let factor = self.backbone[index];
        let half = channels / 2;
        let (first, second) = (
            x.clone().narrow(1, 0, half),
            x.clone().narrow(1, half, channels - half),
        );
        let first = match self.version {
            FreeUVersion::Plain => first.mul_scalar(factor),
            FreeUVersion::Structured => {
                let mean = x.mean_dim(1);
                let flat: Tensor<2> = mean.clone().reshape([batch, height * width]);
                let lowest = flat.clone().min_dim(1).reshape([batch, 1, 1, 1]);
                let highest = flat.max_dim(1).reshape([batch, 1, 1, 1]);
                let strength = (mean - lowest.clone()) / (highest - lowest);
                first * strength.mul_scalar(factor - 1.0).add_scalar(1.0)
            }
        };
        let filtered = scale_frequencies(skip, [1, 1], self.skip[index], 1.0);
        Ok((Tensor::cat(vec![first, second], 1), filtered))
    }
}
