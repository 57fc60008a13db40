//! Changing the size of images inside a network.

use burn::tensor::Tensor;

use super::host;
use super::profile::timed;
use super::strategy::{Kernels, Strategies};

/// Each pixel becomes four: `[batch, channels, height, width]` to `[batch, channels, 2 · height, 2 · width]`.
pub fn upsample_nearest_2x(strategies: &Strategies, x: Tensor<4>) -> Tensor<4> {
    let shape = x.dims();
    let name = || format!("upsampling {shape:?}");
    timed(name, || compute(strategies, x))
}

fn compute(strategies: &Strategies, x: Tensor<4>) -> Tensor<4> {
    if strategies.kernels == Kernels::Host {
        return host::upsample_nearest_2x(x);
    }
    upsample_nearest(x, 2)
}

/// Each pixel becomes a square of so many in each direction.
pub fn upsample_nearest(x: Tensor<4>, factor: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let planes = batch * channels;
    let pixels: Tensor<5> = x.reshape([planes, height, 1, width, 1]);
    pixels
        .expand([planes, height, factor, width, factor])
        .reshape([batch, channels, factor * height, factor * width])
}

/// Channels become squares of pixels (Shi et al. 2016): `[batch, factor² · channels, height, width]` to
/// `[batch, channels, factor · height, factor · width]`.
pub fn pixel_shuffle(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let channels = channels / (factor * factor);
    let squares: Tensor<6> = x.reshape([batch, channels, factor, factor, height, width]);
    squares
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([batch, channels, height * factor, width * factor])
}

/// The reverse of [`pixel_shuffle`]; `factor` divides height and width.
pub fn pixel_unshuffle(x: Tensor<4>, factor: usize) -> Tensor<4> {
    if factor == 1 {
        return x;
    }
    let [batch, channels, height, width] = x.dims();
    let (height, width) = (height / factor, width / factor);
    let squares: Tensor<6> = x.reshape([batch, channels, height, factor, width, factor]);
    squares
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([batch, channels * factor * factor, height, width])
}
