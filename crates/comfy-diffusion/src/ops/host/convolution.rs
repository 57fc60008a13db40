//! Convolutions.

use burn::tensor::Tensor;
use comfy_kernels::{
    Images, Matrix, Output, Patches, Precision, Tile, Window, convolve_3x3, elementwise,
    filtering_pays, product,
};
use rayon::prelude::*;

use super::{GRAIN, by_output, contiguous, into_values, stored, tensor, values};
use crate::ops::convolution::{Addend, Geometry};

/// Images of fewer pixels than this are convolved together.
const SMALL: usize = 1024;

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
    let pixels = rows * columns;
    let (x, weight) = (contiguous(x), stored(weight));
    let x = values(&x);
    let mut all = start(batch, pixels, outputs, bias, addend);
    if all.is_empty() {
        return tensor(all, [batch, outputs, rows, columns]);
    }
    let depth = inputs * kernel_height * kernel_width;
    let weight = by_output(&weight, outputs, depth);
    let images = Images {
        values: x,
        count: batch,
        channels: inputs,
        height,
        width,
    };
    if [kernel_height, kernel_width] == [3, 3]
        && geometry == Geometry::same(3)
        && filtering_pays(tile, &images)
    {
        // Transformed images are not to be rounded, and with so few products nothing is gained by that.
        let tile = Tile::of(Precision::Single);
        convolve_3x3(&tile, &mut all, &*weight, &images);
        return tensor(all, [batch, outputs, rows, columns]);
    }
    let into = |values, row_stride, accumulate| Output {
        values,
        row_stride,
        accumulate,
    };
    if batch > 1 && pixels < SMALL {
        // One product for all, so that the weights are read once.
        let row = batch * pixels;
        let mut together = vec![0.0; outputs * row];
        let output = into(&mut together, row, false);
        product(tile, output, &*weight, &Patches::new(images, window));
        let planes = all.par_chunks_exact_mut(pixels).enumerate();
        planes
            .with_min_len(GRAIN / pixels + 1)
            .for_each(|(index, plane)| {
                let (image, channel) = (index / outputs, index % outputs);
                let start = channel * row + image * pixels;
                elementwise::add(plane, &together[start..][..pixels]);
            });
        return tensor(all, [batch, outputs, rows, columns]);
    }
    let each = x.chunks_exact(inputs * height * width);
    for (out, values) in all.chunks_exact_mut(outputs * pixels).zip(each) {
        let output = into(out, pixels, true);
        if kernel_height * kernel_width == 1 && geometry == Geometry::same(1) {
            let image = Matrix::new(values, [pixels, inputs], [1, pixels]);
            product(tile, output, &*weight, &image);
        } else {
            let image = Images {
                values,
                count: 1,
                ..images
            };
            product(tile, output, &*weight, &Patches::new(image, window));
        }
    }
    tensor(all, [batch, outputs, rows, columns])
}

/// What the products are added to: bias and addends.
fn start(
    batch: usize,
    pixels: usize,
    outputs: usize,
    bias: Option<&Tensor<1>>,
    addend: Addend,
) -> Vec<f32> {
    let bias = bias.cloned().map(contiguous);
    let bias = bias.as_ref().map(values);
    let per_channel = addend.per_channel.map(contiguous);
    let per_channel = per_channel.as_ref().map(values);
    let mut all = match addend.image {
        Some(image) => into_values(image),
        None => vec![0.0; batch * outputs * pixels],
    };
    if bias.is_some() || per_channel.is_some() {
        all.par_chunks_exact_mut(pixels.max(1))
            .enumerate()
            .for_each(|(index, plane)| {
                let bias = bias.map_or(0.0, |bias| bias[index % outputs]);
                let constant = bias + per_channel.map_or(0.0, |values| values[index]);
                elementwise::add_number(plane, constant);
            });
    }
    all
}
