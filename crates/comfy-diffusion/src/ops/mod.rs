//! The operators that models are built from, and how each is computed on each device.
//!
//! This is the only module that knows that devices differ. Layers ([`Linear`], [`Conv2d`], [`GroupNorm`], [`LayerNorm`]) keep
//! their weights in the layout that their device's kernel reads, and take the device's [`Strategies`] with them; free functions
//! take them as an argument. Every operator has a plain formula in `f64` (`reference`), which the device's self-test and the
//! tests compare with.

mod activation;
mod attention;
mod card;
mod convolution;
mod host;
mod linear;
mod norm;
mod precision;
pub mod profile;
pub(crate) mod reference;
mod resample;
mod strategy;

pub use activation::{geglu, gelu, quick_gelu, silu};
pub use attention::{Mask, attention};
pub use convolution::{Addend, Conv2d, Geometry};
pub use linear::Linear;
pub use norm::{GroupNorm, LayerNorm};
pub use precision::Precision;
pub(crate) use precision::{InElement, within};
pub use resample::{pixel_shuffle, pixel_unshuffle, upsample_nearest, upsample_nearest_2x};
pub use strategy::{AttentionStrategy, ConvolutionStrategy, Kernels, NormStrategy, Strategies};

#[cfg(test)]
mod tests;
