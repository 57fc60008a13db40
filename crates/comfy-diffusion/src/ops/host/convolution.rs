//! Convolutions.

use burn::tensor::Tensor;
use comfy_kernels::{
    Bias, Images, Output, Patches, Precision, Tile, Window, convolve_3x3, elementwise,
    filtering_pays, product,
};

use super::{by_output, contiguous, into_values, stored, tensor, values};
use crate::ops::convolution::{Addend, Geometry};

/// Convolves `[batch, inputs, height, width]` with `[outputs, inputs, kernel height, kernel width]`.
///
/// The weights are, as they lie in the file, a matrix with a row for each output channel. The patches of the image are the columns
/// of another, which is never made: they are gathered as the product copies them. Its result has the layout of an image.
pub(in crate::ops) fn convolve(
    tile: &Tile,
    x: Tensor<4>,
    weight: &Tensor<4>,
    bias: Option<&Tensor<1>>,
    geometry: Geometry,
    addend: Addend,
) -> Tensor<4> {
    let [batch, inputs, height, width] = x.dims();
    let [outputs, _, kernel_height, kernel_width] = weight.dims();
    let window = Window {
        kernel: [kernel_height, kernel_width],
        stride: geometry.stride,
        before: geometry.padding[0],
        output: [
            geometry.output(height, kernel_height),
            geometry.output(width, kernel_width),
        ],
    };
    let [rows, columns] = window.output;
    let (x, weight) = (contiguous(x), stored(weight));
    let bias = joined(bias, addend.per_channel, batch, outputs);
    let weight = by_output(&weight, outputs, inputs * kernel_height * kernel_width);
    let images = Images {
        values: values(&x),
        count: batch,
        channels: inputs,
        height,
        width,
    };
    let output = Output {
        groups: batch,
        bias: Bias::OfRows(&bias),
        residual: addend.image.map(into_values),
    };
    let all = if [kernel_height, kernel_width] == [3, 3]
        && geometry == Geometry::same(3)
        && filtering_pays(tile, &images)
    {
        // Transformed images are not to be rounded, and with so few products nothing is gained by that.
        let tile = Tile::of(Precision::Single);
        convolve_3x3(&tile, output, &*weight, &images)
    } else {
        product(tile, output, &*weight, &Patches::new(images, window))
    };
    tensor(all, [batch, outputs, rows, columns])
}

/// What is added to each channel of each image.
fn joined(
    bias: Option<&Tensor<1>>,
    per_channel: Option<Tensor<2>>,
    batch: usize,
    outputs: usize,
) -> Vec<f32> {
    let mut all = match per_channel {
        Some(per_channel) => into_values(per_channel),
        None => vec![0.0; batch * outputs],
    };
    if let Some(bias) = bias.cloned().map(contiguous) {
        for all in all.chunks_exact_mut(outputs.max(1)) {
            elementwise::add(all, values(&bias));
        }
    }
    all
}
