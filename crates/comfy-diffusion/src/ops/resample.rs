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
    let [batch, channels, height, width] = x.dims();
    let planes = batch * channels;
    let pixels: Tensor<5> = x.reshape([planes, height, 1, width, 1]);
    pixels
        .expand([planes, height, 2, width, 2])
        .reshape([batch, channels, 2 * height, 2 * width])
}
